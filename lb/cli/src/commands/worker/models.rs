//! `weighbridge worker --models`: photos are classified, and people recognised.

use std::path::PathBuf;

use weighbridge_worker::defaults;
use weighbridge_worker::operations::models::{ClassifierKind, ModelsConfig};

/// Photos are classified at /classify, and people recognised at /recognise.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Models")]
pub(super) struct ModelArguments {
    /// The folder that `deploy/models.sh FOLDER` has filled; else the environment names it, as
    /// `WEIGHBRIDGE_MODELS`, so that the workers of `weighbridge up` find it. People who are
    /// enrolled are kept in its folder `people`.
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// What classifies: lite0, or lite2, which is more often right and takes twice as long.
    #[arg(long, value_name = "MODEL", default_value_t = ClassifierKind::Lite0, requires = "models")]
    classifier: ClassifierKind,
    /// A face that is farther than this from every enrolled one is `unknown`.
    #[arg(
        long,
        value_name = "N",
        value_parser = distance,
        default_value_t = defaults::FACE_DISTANCE,
        requires = "models"
    )]
    face_distance: f32,
}

impl ModelArguments {
    pub(super) fn config(self) -> Option<ModelsConfig> {
        let ModelArguments { models, classifier, face_distance } = self;
        let folder = models.or_else(|| {
            let folder = std::env::var_os("WEIGHBRIDGE_MODELS")?;
            (!folder.is_empty()).then(|| folder.into())
        });
        Some(ModelsConfig { classifier, face_distance, ..ModelsConfig::new(folder?) })
    }
}

fn distance(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number: &f32| number.is_finite() && 0.0 < *number);
    number.ok_or_else(|| "expected a number above 0, such as 0.5".to_owned())
}
