//! One plugin, one store, one call: engine, plugin, instance, limiter, fleet.
