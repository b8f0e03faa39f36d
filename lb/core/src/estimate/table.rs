//! Past requests as numbers: what estimators are fitted to and judged by.

use super::formula::{Formula, Term};
use super::regress::{Design, Solver};

/// One row a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// As many features in every row, all finite.
    pub(crate) features: Vec<Vec<f64>>,
    /// CPU-seconds of the reference core, above zero.
    pub(crate) cpu_secs: Vec<f64>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.cpu_secs.len()
    }

    pub(crate) fn n_features(&self) -> usize {
        self.features.first().map_or(0, Vec::len)
    }

    /// The rows of these indices.
    pub(crate) fn select(&self, rows: impl Iterator<Item = usize> + Clone) -> Table {
        Table {
            features: rows.clone().map(|row| self.features[row].clone()).collect(),
            cpu_secs: rows.map(|row| self.cpu_secs[row]).collect(),
        }
    }

    /// The sum of `terms` whose relative errors are least.
    pub(crate) fn fit(&self, terms: &[Term], solver: Solver) -> Option<Formula> {
        let design = Design::new(self.features.iter().map(|row| evaluate(terms, row)));
        let coefficients = design.relative(&self.cpu_secs, solver)?;
        Some(formula(terms, &coefficients, false))
    }

    /// The exponential of a sum of `terms`, scaled so that it is right on average (Duan's
    /// smearing), within reason.
    pub(crate) fn fit_log(&self, terms: &[Term], solver: Solver) -> Option<Formula> {
        let design = Design::new(self.features.iter().map(|row| evaluate(terms, row)));
        let logs: Vec<f64> = self.cpu_secs.iter().map(|cpu_secs| cpu_secs.ln()).collect();
        let coefficients = design.absolute(&logs, solver)?;
        let mut formula = formula(terms, &coefficients, true);
        let ratios = self.features.iter().zip(&self.cpu_secs);
        let ratios = ratios.map(|(row, cpu_secs)| cpu_secs / formula.cpu_secs(row));
        let smear = ratios.sum::<f64>() / self.len() as f64;
        if smear.is_finite() {
            formula.terms.push((Term::One, smear.clamp(0.5, 2.0).ln()));
        }
        Some(formula)
    }
}

fn evaluate(terms: &[Term], features: &[f64]) -> Vec<f64> {
    terms.iter().map(|term| term.value(features)).collect()
}

fn formula(terms: &[Term], coefficients: &[f64], is_log: bool) -> Formula {
    let used = terms.iter().copied().zip(coefficients.iter().copied());
    Formula { terms: used.filter(|(_, coefficient)| *coefficient != 0.0).collect(), is_log }
}
