//! Empty: this crate exists for its dependency, see Cargo.toml.
