//! The actions of CNOE's portal, under their ids.

mod kubernetes_apply;
mod sanitize;
mod verify_dependency;

pub use kubernetes_apply::KubernetesApply;
pub use sanitize::Sanitize;
pub use verify_dependency::VerifyDependency;
