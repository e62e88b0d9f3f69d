//! Who calls, and what the caller may do. Sessions and machine tokens resolve to a [`Caller`];
//! operations ask it. This module knows no URL.

mod caller;
mod queries;
mod sessions;
mod tokens;
mod user_tokens;

pub use caller::{Caller, Callers, User};
pub use sessions::{Resolver, Sessions, SessionsSettings, SignInError, bearer};
pub use tokens::{MachineToken, MachineTokens};
pub use user_tokens::{IssueError, IssuedToken, UserTokens};
