//! Decisions as pure functions over immutable, compiled tables: the same code in `meshc` and in `mesh-proxy`.
