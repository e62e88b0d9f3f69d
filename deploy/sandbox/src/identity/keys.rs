//! The realm's keys and the tokens that are signed with them (RFC 7515 compact form).

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

use crate::store::Store;

/// What is kept on disk.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    /// PKCS #8, PEM: signs access and id tokens.
    rsa: String,
    /// Hexadecimal: signs refresh tokens, which nobody else has to check.
    hmac: String,
}

/// Signs and checks tokens.
pub struct Keys {
    signing: SigningKey<Sha256>,
    verifying: VerifyingKey<Sha256>,
    public: RsaPublicKey,
    id: String,
    hmac: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Keys({})", self.id)
    }
}

impl Keys {
    /// Reads the keys of the folder, or makes them (2048 bits).
    pub fn open(data: &Path) -> Result<Self> {
        let path = data.join("keys.json");
        let fresh = if path.exists() { None } else { Some(Self::make()?) };
        let store = Store::open(&path, || {
            fresh.unwrap_or_else(|| Kept {
                rsa: String::new(),
                hmac: String::new(),
            })
        })?;
        let kept = store.read(Clone::clone);
        let private = RsaPrivateKey::from_pkcs8_pem(&kept.rsa)
            .with_context(|| format!("{} holds no RSA key; remove it to get a new one", path.display()))?;
        let hmac = hex::decode(&kept.hmac).with_context(|| format!("{}: hmac is not hexadecimal", path.display()))?;
        let public = private.to_public_key();
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(public.n().to_bytes_be()));
        let signing = SigningKey::<Sha256>::new(private);
        Ok(Self {
            signing,
            verifying: VerifyingKey::new(public.clone()),
            public,
            id,
            hmac,
        })
    }

    fn make() -> Result<Kept> {
        let private = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).context("cannot make an RSA key")?;
        let pem = private
            .to_pkcs8_pem(LineEnding::LF)
            .context("cannot write the RSA key")?;
        Ok(Kept {
            rsa: pem.to_string(),
            hmac: crate::credentials::random_hex(64),
        })
    }

    /// The public half as RFC 7517 writes it.
    pub fn public_jwk(&self) -> Value {
        json!({
            "kid": self.id,
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "n": URL_SAFE_NO_PAD.encode(self.public.n().to_bytes_be()),
            "e": URL_SAFE_NO_PAD.encode(self.public.e().to_bytes_be()),
        })
    }

    /// The public half as Keycloak shows it at the realm's address: DER in base64.
    pub fn public_key_base64(&self) -> String {
        self.public
            .to_public_key_der()
            .map(|der| STANDARD.encode(der.as_bytes()))
            .unwrap_or_default()
    }

    /// A token signed with RS256.
    pub fn sign(&self, claims: &Value) -> String {
        let head = json!({ "alg": "RS256", "typ": "JWT", "kid": self.id });
        let text = signed_part(&head, claims);
        let signature = self.signing.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// Claims of a token that [`Keys::sign`] made; its times are not looked at.
    pub fn open_token(&self, token: &str) -> Option<Value> {
        let (text, claims, signature) = parts(token, "RS256")?;
        let signature = Signature::try_from(signature.as_slice()).ok()?;
        self.verifying.verify(text.as_bytes(), &signature).ok()?;
        Some(claims)
    }

    /// A token that only this realm can check, HS512, as Keycloak's refresh tokens are.
    pub fn sign_refresh(&self, claims: &Value) -> Option<String> {
        let text = signed_part(&json!({ "alg": "HS512", "typ": "JWT" }), claims);
        let mut mac = Hmac::<Sha512>::new_from_slice(&self.hmac).ok()?;
        mac.update(text.as_bytes());
        Some(format!(
            "{text}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        ))
    }

    /// Claims of a token that [`Keys::sign_refresh`] made; its times are not looked at.
    pub fn open_refresh(&self, token: &str) -> Option<Value> {
        let (text, claims, signature) = parts(token, "HS512")?;
        let mut mac = Hmac::<Sha512>::new_from_slice(&self.hmac).ok()?;
        mac.update(text.as_bytes());
        mac.verify_slice(&signature).ok()?;
        Some(claims)
    }
}

/// The left half of a SHA-256 digest, as OpenID Connect Core 3.1.3.6 wants it for `at_hash`.
pub fn half_digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text.as_bytes())[..16])
}

/// The `S256` challenge of a PKCE verifier (RFC 7636 4.2).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

fn signed_part(head: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(head.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

fn parts<'token>(token: &'token str, algorithm: &str) -> Option<(&'token str, Value, Vec<u8>)> {
    let (text, signature) = token.rsplit_once('.')?;
    let (head, claims) = text.split_once('.')?;
    let head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
    // The algorithm is ours to choose, never the token's.
    if head.get("alg")?.as_str()? != algorithm {
        return None;
    }
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some((text, claims, URL_SAFE_NO_PAD.decode(signature).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_and_foreign_tokens_are_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let keys = Keys::open(folder.path()).expect("new keys");
        let token = keys.sign(&json!({ "sub": "a" }));
        let again = Keys::open(folder.path()).expect("kept keys");
        assert_eq!(again.open_token(&token), Some(json!({ "sub": "a" })));
        let refresh = keys.sign_refresh(&json!({ "sid": "b" })).expect("signs");
        assert_eq!(again.open_refresh(&refresh), Some(json!({ "sid": "b" })));

        let (text, _) = token.rsplit_once('.').expect("has a signature");
        for bad in [
            String::new(),
            "a.b.c".to_owned(),
            format!("{text}."),
            format!("{}.", signed_part(&json!({ "alg": "none" }), &json!({ "sub": "a" }))),
            refresh.clone(),
        ] {
            assert_eq!(again.open_token(&bad), None, "{bad}");
        }
        assert_eq!(again.open_refresh(&token), None);
    }

    #[test]
    fn the_challenge_is_the_one_of_rfc_7636_appendix_b() {
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
