//! `weighbridge-bench recognise`: how often the worker takes somebody for another, and how often it
//! knows nobody.
//!
//! People are shuffled and halved. With the first half the threshold is set: of all, the one with
//! the least sum of false accepts and false rejects. The other half is measured with it, by a
//! worker that was started with it. In each half every other person is enrolled, by a few photos of
//! the person, and everything else is asked; then the other people are enrolled, and asked again.
//! So each person is known once, and a stranger once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use fastrand::Rng;
use http::Method;

use crate::classify::quantile;
use crate::client::Client;
use crate::photos::{Models, OwnWorker, Photo, PhotoError, Share, labelled};
use crate::units::time;

/// Measures how often the worker takes somebody for another, or knows nobody.
///
/// DIR has a folder for each person, with photos of the person: at least four people, and more
/// photos than --enrolled of each. Half of the people set the threshold, the other half is judged.
///
/// Prints both halves, as a table in Markdown: how many photos of strangers were accepted as
/// somebody (false accepts), how many of enrolled people as nobody (false rejects) or as another
/// person (mistaken), and in how many no face was seen; each with its interval at 95 % (Wilson).
///
/// It starts workers of its own, whose people are in a folder that is removed at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench recognise photos/
  weighbridge-bench recognise photos/ --enrolled 1 --threshold 0.5")]
pub struct Recognise {
    /// The folder of the photos.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Photos of each person that are enrolled; the others are asked.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub enrolled: u32,
    /// Judge the second half by this threshold, instead of the one that the first half sets.
    #[arg(long, value_name = "N")]
    pub threshold: Option<f32>,
    /// How people are shuffled; the same seed gives the same halves.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where the models are.
    #[command(flatten)]
    pub models: Models,
}

/// A person, and the photos.
type Person = (String, Vec<PathBuf>);

/// One photo that was asked.
#[derive(Debug, Clone, PartialEq)]
struct Trial {
    /// Who it is, where that is somebody who is enrolled.
    truth: Option<String>,
    /// Who was named; the nearest one, where the threshold is so large that there always is one.
    label: String,
    /// How far that is; `None` where no face was seen.
    distance: Option<f32>,
    run: Option<f64>,
}

/// What came of trials with one threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Score {
    strangers: usize,
    accepted: usize,
    known: usize,
    rejected: usize,
    mistaken: usize,
    faceless: usize,
}

/// So far is nobody: the nearest is always named.
const ANY_DISTANCE: &str = "1000";

impl Recognise {
    /// Measures and prints.
    pub fn run(&self) -> Result<(), PhotoError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        println!("{}", runtime.block_on(self.measure())?);
        Ok(())
    }

    async fn measure(&self) -> Result<String, PhotoError> {
        let (setting, judged) = self.halves()?;
        let set_by = self.ask(&setting, ANY_DISTANCE).await?;
        let threshold = self.threshold.unwrap_or_else(|| best(&set_by));
        let named = self.ask(&judged, &threshold.to_string()).await?;
        let run: Vec<f64> = named.iter().filter_map(|trial| trial.run).collect();
        let (first, second) = (Score::of(&set_by, threshold), Score::of(&named, threshold));
        Ok(format!(
            "Threshold {threshold:.3}; {} and {} people, {} photos of each enrolled; run: median \
             {}, p99 {}.\n\n\
             | half | false accepts | false rejects | mistaken | no face seen |\n\
             |---|---|---|---|---|\n\
             {}\n{}",
            setting.len(),
            judged.len(),
            self.enrolled,
            quantile(&run, 0.5).map_or("–".to_owned(), time),
            quantile(&run, 0.99).map_or("–".to_owned(), time),
            first.row("sets the threshold"),
            second.row("judged"),
        ))
    }

    /// The people of both halves.
    fn halves(&self) -> Result<(Vec<Person>, Vec<Person>), PhotoError> {
        let mut people: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for Photo { file, label } in labelled(&self.folder)? {
            people.entry(label).or_default().push(file);
        }
        let enough = |photos: &Vec<PathBuf>| (self.enrolled as usize) < photos.len();
        let mut people: Vec<Person> =
            people.into_iter().filter(|(_, photos)| enough(photos)).collect();
        if people.len() < 4 {
            let why = "fewer than four people with more photos than --enrolled";
            return Err(PhotoError::Folder(self.folder.clone(), why));
        }
        Rng::with_seed(self.seed).shuffle(&mut people);
        let judged = people.split_off(people.len() / 2);
        Ok((people, judged))
    }

    /// Asks a worker of its own about `people`, of whom first one half is enrolled and then the
    /// other.
    async fn ask(&self, people: &[Person], threshold: &str) -> Result<Vec<Trial>, PhotoError> {
        let folder = tempfile::tempdir()?;
        for entry in std::fs::read_dir(&self.models.models)
            .map_err(|error| PhotoError::Read(self.models.models.clone(), error))?
        {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let model = entry.path().canonicalize()?;
                std::os::unix::fs::symlink(model, folder.path().join(entry.file_name()))?;
            }
        }
        let worker = OwnWorker::start(folder.path(), &["--face-distance", threshold]).await?;
        let client = Client::new(&worker.url, &worker.url);
        let mut trials = Vec::new();
        for known in [0, 1] {
            trials.extend(self.ask_round(&client, people, known).await?);
        }
        worker.stop().await;
        Ok(trials)
    }

    /// Enrols every other person, from `first` on, asks, and removes them again.
    async fn ask_round(
        &self,
        client: &Client,
        people: &[Person],
        first: usize,
    ) -> Result<Vec<Trial>, PhotoError> {
        let n_enrolled = self.enrolled as usize;
        let known = |index: usize| index % 2 == first;
        for (index, (_, photos)) in people.iter().enumerate().filter(|(index, _)| known(*index)) {
            for (number, photo) in photos[..n_enrolled].iter().enumerate() {
                let target = format!("/people/p{index}/{number}");
                // A photo in which no face is seen enrols nobody; the others may.
                match client.show(Method::PUT, &target, photo).await {
                    Err(PhotoError::Photo(_, error)) if error.is_status(422) => {}
                    other => drop(other?),
                }
            }
        }
        let mut trials = Vec::new();
        for (index, (_, photos)) in people.iter().enumerate() {
            let asked = if known(index) { &photos[n_enrolled..] } else { &photos[..] };
            for photo in asked {
                let truth = known(index).then(|| format!("p{index}"));
                let asked = client.show(Method::POST, "/recognise", photo).await?;
                let label = asked.answer["label"].as_str();
                let label =
                    label.ok_or_else(|| PhotoError::Answer(asked.answer.to_string()))?.to_owned();
                let distance = asked.answer["distance"].as_f64().map(|distance| distance as f32);
                trials.push(Trial { truth, label, distance, run: asked.run });
            }
        }
        for (index, _) in people.iter().enumerate().filter(|(index, _)| known(*index)) {
            let target = format!("/people/p{index}");
            match client.exchange(Method::DELETE, &target, "text/plain", Bytes::new()).await {
                Err(error) if error.is_status(404) => {}
                other => drop(other?),
            }
        }
        Ok(trials)
    }
}

/// The threshold with the least sum of false accepts and false rejects, as parts; the middle of the
/// widest such gap between two distances.
fn best(trials: &[Trial]) -> f32 {
    let mut distances: Vec<f32> = trials.iter().filter_map(|trial| trial.distance).collect();
    distances.sort_by(f32::total_cmp);
    let gaps =
        distances.windows(2).map(|pair| (f32::midpoint(pair[0], pair[1]), pair[1] - pair[0]));
    let cost = |threshold: f32| {
        let score = Score::of(trials, threshold);
        let accepts = Share { of: score.accepted, all: score.strangers };
        let rejects = Share { of: score.rejected + score.mistaken, all: score.known };
        accepts.part() + rejects.part()
    };
    let scored = gaps.map(|(threshold, gap)| (cost(threshold), -gap, threshold));
    let least = scored.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    least.map_or(0.5, |(_, _, threshold)| threshold)
}

// === impl Score ===

impl Score {
    fn of(trials: &[Trial], threshold: f32) -> Score {
        let mut score = Score::default();
        for trial in trials {
            score.faceless += usize::from(trial.distance.is_none());
            let accepted = trial.distance.is_some_and(|distance| distance <= threshold);
            match &trial.truth {
                None => {
                    score.strangers += 1;
                    score.accepted += usize::from(accepted);
                }
                Some(truth) => {
                    score.known += 1;
                    score.rejected += usize::from(!accepted);
                    score.mistaken += usize::from(accepted && trial.label != *truth);
                }
            }
        }
        score
    }

    fn row(self, half: &str) -> String {
        let known = |of| Share { of, all: self.known };
        let count = |share: Share| format!("{share}, {} of {}", share.of, share.all);
        format!(
            "| {half} | {} | {} | {} | {} |",
            count(Share { of: self.accepted, all: self.strangers }),
            count(known(self.rejected)),
            count(known(self.mistaken)),
            count(Share { of: self.faceless, all: self.strangers + self.known }),
        )
    }
}

#[cfg(test)]
mod tests;
