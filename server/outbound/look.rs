//! A look at a system from outside: its clock, and how long its certificate holds.

use chrono::{DateTime, NaiveDate, Utc};
use reqwest::redirect::Policy;
use reqwest::{Certificate, header};
use url::Url;

use super::{Outbound, builder, explain};

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The system's clock, as its answer has it.
    pub date: Option<DateTime<Utc>>,
    /// When its certificate ends; `None` without TLS.
    pub certificate_ends: Option<DateTime<Utc>>,
}

impl Outbound {
    /// Asks for an address, whatever it answers. `authorities` are certificates (DER) that count beside those that
    /// all clients know.
    ///
    /// # Errors
    /// Where there is no answer: says why, for example that the certificate is not trusted.
    pub async fn look(&self, url: &Url, authorities: &[Vec<u8>]) -> Result<Look, String> {
        let own: Vec<Certificate> = authorities
            .iter()
            .map(|der| Certificate::from_der(der).map_err(explain))
            .collect::<Result<_, _>>()?;
        let client = builder(&self.certificates, Policy::none())
            .tls_certs_merge(own)
            .tls_info(true)
            .build()
            .map_err(explain)?;
        let answer = client.get(url.clone()).send().await.map_err(explain)?;
        let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let certificate = answer.extensions().get::<reqwest::tls::TlsInfo>();
        Ok(Look {
            date: date.map(|date| date.to_utc()),
            certificate_ends: certificate.and_then(|tls| ends(tls.peer_certificate()?)),
        })
    }
}

/// `notAfter` of a certificate in DER (RFC 5280, 4.1).
fn ends(certificate: &[u8]) -> Option<DateTime<Utc>> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = value(certificate)?;
    let (SEQUENCE, mut rest, _) = value(certificate)? else {
        return None;
    };
    if let (VERSION, _, after) = value(rest)? {
        rest = after;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        rest = value(rest)?.2;
    }
    let (SEQUENCE, validity, _) = value(rest)? else {
        return None;
    };
    let (_, _, after) = value(validity)?;
    let (kind, text, _) = value(after)?;
    time(kind, text)
}

/// The first value: its kind, its content, and what stands behind it.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*kind, content, rest))
}

/// `YYMMDDhhmmssZ` (years 1950 to 2049) or `YYYYMMDDhhmmssZ`.
fn time(kind: u8, text: &[u8]) -> Option<DateTime<Utc>> {
    const SHORT: u8 = 0x17;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match kind {
        SHORT if text < "50" => format!("20{text}"),
        SHORT => format!("19{text}"),
        _ => text.to_owned(),
    };
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let day = NaiveDate::from_ymd_opt(text.get(0..4)?.parse().ok()?, part(4, 6)?, part(6, 8)?)?;
    let at = day.and_hms_opt(part(8, 10)?, part(10, 12)?, part(12, 14)?)?;
    Some(at.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        for (year, expected) in [(2031, "2031-02-03T00:00:00+00:00"), (2062, "2062-02-03T00:00:00+00:00")] {
            let mut parameters = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
            parameters.not_after = rcgen::date_time_ymd(year, 2, 3);
            let certificate = parameters.self_signed(&key).unwrap();
            let found = ends(certificate.der()).map(|at| at.to_rfc3339());
            assert_eq!(found.as_deref(), Some(expected));
        }
        for broken in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], b"-----BEGIN"] {
            assert_eq!(ends(broken), None);
        }
    }
}
