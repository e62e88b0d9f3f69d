//! Static tokens of programs: `backend.auth.externalAccess`.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Caller;
use crate::config::Secret;

/// A program's token.
#[derive(Debug, Clone)]
pub struct MachineToken {
    pub token: Secret,
    pub subject: String,
}

/// All static tokens, as digests. Cheap to clone.
#[derive(Clone)]
pub struct MachineTokens(Arc<[([u8; 32], String)]>);

impl MachineTokens {
    pub fn new(tokens: &[MachineToken]) -> Self {
        Self(
            tokens
                .iter()
                .map(|token| (digest(token.token.expose()), token.subject.clone()))
                .collect(),
        )
    }

    /// Some token stands for the subject.
    pub fn knows(&self, subject: &str) -> bool {
        self.0.iter().any(|(_, known)| known == subject)
    }

    /// The program that the token belongs to. Takes as long for a wrong token as for a right one.
    pub fn find(&self, token: &str) -> Option<Caller> {
        let asked = digest(token);
        let mut found = None;
        for (known, subject) in self.0.iter() {
            if bool::from(known.ct_eq(&asked)) {
                found = Some(subject);
            }
        }
        found.map(|subject| Caller::Machine {
            subject: subject.clone(),
        })
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_by_their_whole_text() {
        let tokens = MachineTokens::new(&[MachineToken {
            token: Secret::new("0123456789"),
            subject: "script".into(),
        }]);
        assert_eq!(
            tokens.find("0123456789").map(|caller| caller.actor()).as_deref(),
            Some("external:script")
        );
        for wrong in ["", "012345678", "01234567890", "0123456789 "] {
            assert_eq!(tokens.find(wrong), None, "{wrong:?}");
        }
    }
}
