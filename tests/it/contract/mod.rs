//! What the ports rely on in the outside systems: the same assertions on the stand-ins and on the real systems.
//!
//! They run on stand-ins of their own, or on the platform that `PORTICO_PLATFORM` names. Where one fails on
//! the stand-ins only, the stand-in is wrong.

mod gitops;
mod identity;
mod kubernetes;
mod scm;
mod swagger;
