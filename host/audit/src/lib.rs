//! What happened: the journal of every call, its chain and its queries.
