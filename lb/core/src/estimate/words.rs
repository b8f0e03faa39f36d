//! A formula in words: `2.1 ms + 14 ns x query.width x query.height + 3.2 ms where query.format =
//! webp`, or `2.1 ms x (1 + query.rows)^0.98 x 1.8 where query.format = webp`.

use std::fmt::Write;

use super::formula::{Factor, Formula, Term};

/// Of a formula of more terms only the beginning is shown.
const TERMS_SHOWN: usize = 16;

impl Formula {
    /// The formula, whose features are called `names`.
    pub(crate) fn in_words(&self, names: &[String]) -> String {
        let constant = self.terms.iter().filter(|(term, _)| term.factors().next().is_none());
        let constant: f64 = constant.map(|(_, coefficient)| coefficient).sum();
        let terms: Vec<&(Term, f64)> =
            self.terms.iter().filter(|(term, _)| term.factors().next().is_some()).collect();
        let mut words = String::new();
        if self.is_log {
            words.push_str(&time(constant.exp()));
            for (term, coefficient) in terms.iter().take(TERMS_SHOWN) {
                words.push_str(" x ");
                words.push_str(&power(*term, *coefficient, names));
            }
        } else {
            if constant != 0.0 || terms.is_empty() {
                words.push_str(&time(constant));
            }
            for (term, coefficient) in terms.iter().take(TERMS_SHOWN) {
                let sign = match (words.is_empty(), *coefficient < 0.0) {
                    (true, false) => "",
                    (true, true) => "-",
                    (false, false) => " + ",
                    (false, true) => " - ",
                };
                words.push_str(sign);
                words.push_str(&time(coefficient.abs()));
                words.push_str(&product(*term, names));
            }
        }
        let hidden = terms.len().saturating_sub(TERMS_SHOWN);
        if 0 < hidden {
            // Writing to a string cannot fail.
            let _ = write!(words, " and {hidden} more terms");
        }
        words
    }
}

/// ` x query.width where query.format = webp`.
fn product(term: Term, names: &[String]) -> String {
    let (conditions, numbers): (Vec<Factor>, Vec<Factor>) =
        term.factors().partition(|factor| condition(*factor, names).is_some());
    let mut words = String::new();
    for factor in numbers {
        words.push_str(" x ");
        let factor = match factor {
            Factor::Log(index) => format!("ln(1 + {})", name(index, names)),
            Factor::Raw(index) | Factor::Is(index, _) => name(index, names),
            Factor::Less(index, other) => {
                format!("({} - {})", name(index, names), name(other, names))
            }
        };
        words.push_str(&factor);
    }
    words + &wheres(&conditions, names)
}

/// One factor of a product of powers.
fn power(term: Term, coefficient: f64, names: &[String]) -> String {
    let factors: Vec<Factor> = term.factors().collect();
    let (conditions, numbers): (Vec<Factor>, Vec<Factor>) =
        factors.iter().partition(|factor| condition(**factor, names).is_some());
    let wheres = wheres(&conditions, names);
    match numbers[..] {
        [] => format!("{}{wheres}", rounded(coefficient.exp())),
        [Factor::Log(index)] => {
            format!("(1 + {})^{}{wheres}", name(index, names), rounded(coefficient))
        }
        _ => {
            let product = product(Term::Times(term_of(&numbers)), names);
            format!("e^({}{product}){wheres}", rounded(coefficient))
        }
    }
}

fn term_of(factors: &[Factor]) -> [Option<Factor>; super::formula::FACTORS_MAX] {
    std::array::from_fn(|index| factors.get(index).copied())
}

/// ` where query.format = webp and query.level = 9`.
fn wheres(conditions: &[Factor], names: &[String]) -> String {
    let all: Vec<String> = conditions.iter().filter_map(|one| condition(*one, names)).collect();
    if all.is_empty() { String::new() } else { format!(" where {}", all.join(" and ")) }
}

/// `query.format = webp`, where a factor is 1 or 0 by that.
fn condition(factor: Factor, names: &[String]) -> Option<String> {
    match factor {
        Factor::Is(index, value) => Some(format!("{} = {value}", name(index, names))),
        Factor::Raw(index) => {
            let (text, word) = names.get(index)?.split_once('=')?;
            Some(format!("{text} = {word}"))
        }
        Factor::Log(_) | Factor::Less(..) => None,
    }
}

/// Sums and products in brackets.
fn name(index: usize, names: &[String]) -> String {
    let name = names.get(index).map_or("?", String::as_str);
    if name.contains(['+', '*']) && name.contains(' ') {
        format!("({name})")
    } else {
        name.to_owned()
    }
}

/// Seconds in the unit in which they read best, with two or three digits.
fn time(secs: f64) -> String {
    const UNITS: [(f64, &str); 5] =
        [(1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"), (1e-12, "ps")];

    let unit = UNITS.iter().find(|(unit, _)| *unit <= secs.abs());
    match unit {
        Some((unit, name)) => format!("{} {name}", rounded(secs / unit)),
        None if secs == 0.0 => "0 s".to_owned(),
        None => format!("{secs:.1e} s"),
    }
}

/// Two digits, or three of what begins with a one.
fn rounded(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor();
    let leading = value.abs() / 10_f64.powf(magnitude);
    let digits = if leading < 2.0 { 2.0 } else { 1.0 };
    let decimals = digits - magnitude;
    let unit = 10_f64.powf(-decimals);
    let rounded = (value / unit).round() * unit;
    let decimals = decimals.clamp(0.0, 12.0) as usize;
    let text = format!("{rounded:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(terms: &[(Term, f64)], is_log: bool, expected: &str) {
        let names = ["query.w", "query.h", "query.format=webp", "a * b + c"].map(str::to_owned);
        let formula = Formula { terms: terms.to_vec(), is_log };
        assert_eq!(formula.in_words(&names), expected);
    }

    #[test]
    fn a_sum_is_told_in_the_units_that_suit_it() {
        check(&[(Term::One, 0.0021)], false, "2.1 ms");
        check(&[], false, "0 s");
        let times = |factors| Term::Times(factors);
        let webp = Some(Factor::Raw(2));
        let terms = [
            (Term::Product(0, 1), 1.4e-8),
            (Term::One, 2.14e-3),
            (Term::Raw(2), 3.2e-3),
            (times([Some(Factor::Less(0, 1)), webp, None]), -1.234e-6),
            (times([Some(Factor::Raw(0)), Some(Factor::Log(0)), Some(Factor::Is(1, 9.0))]), 5e-10),
            (Term::Raw(3), 2.0),
        ];
        let expected = "2.1 ms + 14 ns x query.w x query.h + 3.2 ms where query.format = webp \
                        - 1.23 us x (query.w - query.h) where query.format = webp \
                        + 500 ps x query.w x ln(1 + query.w) where query.h = 9 + 2 s x (a * b + c)";
        check(&terms, false, expected);
    }

    #[test]
    fn an_exponential_is_a_product_of_powers() {
        let terms = [
            (Term::One, 2e-3_f64.ln()),
            (Term::Log(0), 0.984),
            (Term::Raw(2), 1.8_f64.ln()),
            (Term::Times([Some(Factor::Log(1)), Some(Factor::Raw(2)), None]), -0.5),
        ];
        let expected = "2 ms x (1 + query.w)^0.98 x 1.8 where query.format = webp \
                        x (1 + query.h)^-0.5 where query.format = webp";
        check(&terms, true, expected);
    }
}
