mod drivers;
mod hostile;
pub(crate) mod meshd;
mod older;
mod property;
mod relay;
pub(crate) mod told;
pub(crate) mod world;
