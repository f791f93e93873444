mod drivers;
mod hostile;
mod meshd;
mod older;
mod property;
mod relay;
pub(crate) mod told;
pub(crate) mod world;
