//! What the control side needs of the data plane.
//!
//! Never more than this: whole worlds in, yes or no out, and what went through.

use std::future::Future;
use std::sync::Arc;

use mesh_delivery::traffic::Both;

use crate::dataplane::DataPlane;
use crate::table::Table;
use crate::world::{Rejected, World};

/// Takes worlds.
pub(crate) trait Plane: Send + 'static {
    /// Makes this world the one that decides, with its listeners open; or refuses it, and everything stays as it was.
    fn apply(&mut self, world: &World) -> impl Future<Output = Result<(), Rejected>> + Send;

    /// What went through it since it began.
    fn counted(&self) -> Both;
}

impl Plane for Arc<DataPlane> {
    async fn apply(&mut self, world: &World) -> Result<(), Rejected> {
        let table = Table::build(world)?;
        DataPlane::apply(self, Arc::new(table)).await
    }

    fn counted(&self) -> Both {
        DataPlane::counted(self)
    }
}
