//! The stand-ins as their clients see them: over HTTP and with the real git program.

mod faults;
mod git;
mod identity;
mod rest;
mod support;
