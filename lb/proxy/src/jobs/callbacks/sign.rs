//! Signs callbacks as Standard Webhooks has it: HMAC-SHA256 of `ID.TIMESTAMP.BODY`.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// How long a key may be, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The keys that callbacks are signed by: while one replaces another there are two.
#[derive(Clone)]
pub struct Secret(Vec<Vec<u8>>);

/// Why callbacks cannot be signed. The operator has to mend the file.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret of callbacks in `{}`", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// The file has no secret in it.
    #[error("`{}` line {line} is no secret: expected whsec_ and base64 of 24 to 64 bytes", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

// === impl Secret ===

impl Secret {
    /// The secrets in the file at `path`, one a line. Blocks.
    pub fn read(path: &Path) -> Result<Secret, SecretError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| SecretError::Read(path.to_owned(), error))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let malformed = |line| SecretError::Malformed { path: path.to_owned(), line };
        let keys: Result<Vec<_>, SecretError> =
            lines.map(|(nth, line)| key(line.trim()).ok_or_else(|| malformed(nth + 1))).collect();
        let keys = keys?;
        if keys.is_empty() { Err(malformed(1)) } else { Ok(Secret(keys)) }
    }

    /// The header `webhook-signature` of a callback.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let signatures: Vec<String> = self
            .0
            .iter()
            .filter_map(|key| {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
                mac.update(format!("{id}.{timestamp}.").as_bytes());
                mac.update(body);
                Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
            })
            .collect();
        signatures.join(" ")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({} keys)", self.0.len())
    }
}

fn key(text: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
    KEY_BYTES.contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn secret(text: &str) -> Result<Secret, SecretError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Secret::read(file.path())
    }

    #[test]
    fn the_standards_own_library_accepts_a_signature_and_refuses_a_changed_body() {
        let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let body = br#"{"job":"7"}"#;
        let signed = secret(&format!("{SECRET}\n{other}\n")).unwrap();
        let signature = signed.sign("7.0", now.as_secs(), body);
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", HeaderValue::from_static("7.0"));
        headers.insert("webhook-timestamp", HeaderValue::from(now.as_secs()));
        headers.insert("webhook-signature", HeaderValue::from_str(&signature).unwrap());
        for known in [SECRET, other] {
            let standard = standardwebhooks::Webhook::new(known).unwrap();
            standard.verify(body, &headers).unwrap();
            assert!(standard.verify(br#"{"job":"8"}"#, &headers).is_err());
        }
        let stranger =
            standardwebhooks::Webhook::new("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0").unwrap();
        assert!(stranger.verify(body, &headers).is_err());
    }

    #[test]
    fn what_is_no_secret_is_told_with_its_line() {
        for (text, line) in [("", 1), ("secret\n", 1), (&format!("{SECRET}\nwhsec_abc\n"), 2)] {
            let error = secret(text).unwrap_err();
            assert!(matches!(error, SecretError::Malformed { line: l, .. } if l == line), "{text}");
        }
        assert!(matches!(Secret::read(Path::new("/nowhere")), Err(SecretError::Read(..))));
    }
}
