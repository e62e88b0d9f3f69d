//! `portico:wait:*`: steps that end when something has happened elsewhere. While they wait nobody runs their task; it is
//! taken up again to look, or as soon as there is news.

mod application;
mod approval;
mod pull_request;

pub use application::WaitForApplication;
pub use approval::WaitForApproval;
pub use pull_request::WaitForPullRequest;
