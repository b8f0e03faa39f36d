//! Errors as text.

use std::error::Error;

/// `error` and what caused it.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let (mut texts, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts.dedup();
    texts.join(": ")
}
