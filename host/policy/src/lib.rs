//! Everything that decides and nothing that does: manifests, signatures, trust, schemas, authorize.
