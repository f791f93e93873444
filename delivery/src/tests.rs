mod drivers;
mod hostile;
mod meshd;
mod property;
mod world;
