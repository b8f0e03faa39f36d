//! Classification: what is in a photo, one of the thousand classes of ImageNet.
//!
//! The model is EfficientNet-Lite (Tan and Le 2019, arXiv:1905.11946, in TensorFlow's variant
//! without squeeze and excitation). It sees the square in the middle of the photo, `side / (side +
//! 32)` of its shorter side, as it did when it was trained; samples are `(value - 127) / 128`.
//!
//! `POST /classify?top=N` answers `{"label": LABEL, "top": [{"label": LABEL, "class": INDEX,
//! "probability": P}, ...]}`, the N most probable first; N is 1 where it is not said. Two classes
//! are called `crane`, and two `maillot`: the index tells them apart.

use std::fmt;

use serde::Serialize;
use weighbridge_instrument::checkpoint;

use super::models::{Area, Filter, ModelError, ModelsConfig, Net, Picture, missing, read, resized};
use super::{EventForm, Kept, Limits, Operation, OperationError, OperationRequest, Reply};

/// Classifies a photo. See the module.
#[derive(Debug)]
pub struct Classify;

/// What classifies.
pub(super) struct Classifier {
    net: Net,
    side: usize,
    labels: Vec<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    label: &'a str,
    top: Vec<Guess<'a>>,
}

#[derive(Serialize)]
struct Guess<'a> {
    label: &'a str,
    class: usize,
    probability: f32,
}

const NAME: &str = "classify";

/// Of ImageNet.
const CLASSES: usize = 1000;

/// The model's margin, in pixels of its own.
const MARGIN: usize = 32;

/// What the model holds while it runs: the largest of its values, several times.
const WORKING_BYTES: u64 = 16 << 20;

impl Operation for Classify {
    fn name(&self) -> &'static str {
        NAME
    }

    fn path(&self) -> &'static str {
        "/classify"
    }

    fn event(&self) -> EventForm {
        EventForm::Image
    }

    fn bytes_held(&self, _: &OperationRequest<'_>, _: &Limits) -> u64 {
        WORKING_BYTES
    }

    fn run(&self, _: &OperationRequest<'_>, _: &Limits) -> Result<Reply, OperationError> {
        Err(ModelError::None.into())
    }

    fn run_with(
        &self,
        request: &OperationRequest<'_>,
        limits: &Limits,
        kept: &Kept,
    ) -> Result<Reply, OperationError> {
        let classifier = kept.models()?.classifier.as_ref().map_err(Clone::clone)?;
        let top = top(request.query)?;
        let probabilities = classifier.classify(&Picture::read(request, limits)?)?;
        checkpoint()?;
        Ok(Reply::json(&classifier.answer(&probabilities, top)))
    }
}

/// How many classes the query asks for: its last `top`.
fn top(query: &str) -> Result<usize, ModelError> {
    let pairs = query.rsplit('&').filter_map(|pair| pair.split_once('='));
    let Some((_, text)) = pairs.into_iter().find(|(name, _)| *name == "top") else { return Ok(1) };
    let number = text.parse().ok().filter(|number| (1..=CLASSES).contains(number));
    number.ok_or_else(|| ModelError::Top(text.chars().take(32).collect()))
}

/// What the model says, as probabilities: `exp(x) / sum(exp(x))`.
fn softmax(mut logits: Vec<f32>) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    for logit in &mut logits {
        *logit = (*logit - most).exp();
    }
    let sum: f32 = logits.iter().sum();
    logits.into_iter().map(|part| part / sum).collect()
}

// === impl Classifier ===

impl Classifier {
    pub(super) fn read(config: &ModelsConfig) -> Result<Classifier, ModelError> {
        let (folder, name) = (&config.folder, "labels.txt");
        let net = Net::read(NAME, folder, &config.classifier.file())?;
        let labels = read(NAME, folder, name)?;
        let wrong = |why: &str| missing(NAME, &folder.join(name), why);
        let labels = String::from_utf8(labels).map_err(|_| wrong("it is no UTF-8"))?;
        let labels: Vec<String> = labels.lines().map(str::to_owned).collect();
        if labels.len() != CLASSES {
            return Err(wrong("expected 1000 lines"));
        }
        Ok(Classifier { net, side: config.classifier.side(), labels })
    }

    /// The probability of each class.
    fn classify(&self, picture: &Picture) -> Result<Vec<f32>, OperationError> {
        let side = self.side;
        let area = middle(picture.size(), side);
        let planes = resized(picture, &area, (side, side), Filter::Cubic)?;
        let sample = |sample: f32| (sample.clamp(0.0, 255.0) - 127.0) / 128.0;
        let input = planes.samples.into_iter().map(sample).collect();
        let (logits, _) = self.net.run([1, 3, side, side], input)?;
        if logits.len() != CLASSES {
            return Err(ModelError::Run("expected 1000 numbers".to_owned()).into());
        }
        Ok(softmax(logits))
    }

    fn answer(&self, probabilities: &[f32], top: usize) -> Answer<'_> {
        let mut classes: Vec<usize> = (0..probabilities.len()).collect();
        classes.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
        let guesses = classes.into_iter().take(top).map(|class| Guess {
            label: &self.labels[class],
            class,
            probability: probabilities[class],
        });
        let top: Vec<Guess<'_>> = guesses.collect();
        Answer { label: top.first().map_or("", |guess| guess.label), top }
    }
}

/// The square in the middle that a model of this side sees.
fn middle((width, height): (usize, usize), side: usize) -> Area {
    let square = (width.min(height) * side / (side + MARGIN)).max(1);
    let (left, top) = ((width - square) / 2, (height - square) / 2);
    Area { columns: left..left + square, rows: top..top + square }
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier").field("side", &self.side).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_sees_the_middle_of_a_photo() {
        let area = middle((512, 300), 224);
        assert_eq!((area.columns, area.rows), (125..387, 19..281));
        let area = middle((1, 1000), 224);
        assert_eq!((area.columns, area.rows), (0..1, 499..500));
    }

    #[test]
    fn the_last_top_of_a_query_counts_and_only_whole_numbers_up_to_a_thousand() {
        for (query, expected) in [("", 1), ("top=5", 5), ("a=b&top=7&top=1000", 1000)] {
            assert_eq!(top(query).expect(query), expected, "{query}");
        }
        for query in ["top=", "top=0", "top=1001", "top=-1", "top=five", "top=1e2"] {
            let error = top(query).expect_err(query).to_string();
            assert!(error.contains(query.trim_start_matches("top=")), "{error}");
        }
    }

    #[test]
    fn probabilities_are_one_in_all_however_large_the_numbers_are() {
        let parts = softmax(vec![1000.0, 1000.0, -1000.0, 999.0]);
        assert!((parts.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((parts[3] / parts[0] - (-1.0_f32).exp()).abs() < 1e-6);
    }
}
