//! Numbers as people read them. Each carries its exact value, for programs and for tests.

use maud::{Markup, html};

use crate::words::grouped;
pub(super) use crate::words::{bytes, percent, rate, span, time_of_day};

/// `value`, the field `of` of what is shown, as `text`.
pub(super) fn number(of: &str, value: f64, text: &str) -> Markup {
    html! { data value=(value) data-of=(of) { (text) } }
}

/// `count`, the field `of`.
pub(super) fn count(of: &str, count: u64) -> Markup {
    html! { data value=(count) data-of=(of) { (grouped(count)) } }
}

/// A span in seconds, the field `of`.
pub(super) fn secs(of: &str, secs: f64) -> Markup {
    number(of, secs, &span(secs))
}

/// A fraction, the field `of`, in percent.
pub(super) fn ratio(of: &str, ratio: f64) -> Markup {
    number(of, ratio, &percent(ratio))
}

/// `value` where there is one, by `show`; else a dash.
pub(super) fn known(value: Option<f64>, show: impl Fn(f64) -> Markup) -> Markup {
    value.map_or_else(|| html! { span.none { "–" } }, show)
}

/// A bar of `value` where `most` is full; `kind` says how it looks.
pub(super) fn bar(value: f64, most: f64, kind: &str) -> Markup {
    let part = if 0.0 < most { (value / most).clamp(0.0, 1.0) } else { 0.0 };
    html! {
        svg class={ "bar " (kind) } viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect class="of" width="100" height="8" {}
            rect class="is" width=(format!("{:.2}", part * 100.0)) height="8" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_carries_its_exact_value() {
        let shown = secs("seconds_left", 0.123_456_789).into_string();
        assert_eq!(shown, r#"<data value="0.123456789" data-of="seconds_left">123 ms</data>"#);
        assert!(number("x", 1.0, "<b>").into_string().contains("&lt;b&gt;"));
    }
}
