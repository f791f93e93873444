//! What the control side needs of the data plane.
//!
//! Never more than this: whole worlds in, yes or no out.

use std::future::Future;
use std::sync::Arc;

use crate::dataplane::DataPlane;
use crate::table::Table;
use crate::world::{Rejected, World};

/// Takes worlds.
pub(crate) trait Plane: Send + 'static {
    /// Makes this world the one that decides, with its listeners open; or refuses it, and everything stays as it was.
    fn apply(&mut self, world: &World) -> impl Future<Output = Result<(), Rejected>> + Send;
}

impl Plane for Arc<DataPlane> {
    async fn apply(&mut self, world: &World) -> Result<(), Rejected> {
        let table = Table::build(world)?;
        DataPlane::apply(self, Arc::new(table)).await
    }
}
