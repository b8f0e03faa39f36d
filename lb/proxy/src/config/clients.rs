//! Who clients are, and what each may have: `[clients]`, `[classes.NAME]`, and the routes' `client`
//! and `class`.

use std::time::Duration;

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE};

use weighbridge_core::share::{ClassId, ClassPolicy, CpuQuota, Quota, RULES, SharePolicy};
use weighbridge_core::units::Work;

use super::reader::Section;
use super::{Route, is_free_name, values};
use crate::whose;

const MS: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_hours(24);

/// The class of routes that name none.
const DEFAULT: &str = "default";

/// The most classes, that one included.
const CLASSES_MAX: usize = 16;

/// The most clients that one class lists.
const LISTED_MAX: usize = 1000;

/// The longest name of a claim.
const CLAIM_BYTES_MAX: usize = 128;

/// How a client is told from others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Whose {
    /// It is not.
    #[default]
    Nobody,
    /// By its address, behind trusted proxies.
    Address,
    /// By the subject of the certificate that it has shown.
    Certificate,
    /// By the value of a header.
    Header(HeaderName),
    /// By this claim of a bearer token, which is not verified.
    Claim(Box<str>),
}

/// What the proxy has to know of clients; the rest is in the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientsConfig {
    /// Whether values of headers are shown as they are.
    pub shows_names: bool,
    /// The most clients that metrics tell apart.
    pub shown_max: usize,
    /// The header by which a client says how many milliseconds it waits for its answer.
    pub deadline: Option<HeaderName>,
}

/// What is read before the routes are.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) config: ClientsConfig,
    pub(super) share: SharePolicy,
    /// Whether there is more than one class without any bound.
    pub(super) has_classes: bool,
}

// === impl Clients ===

impl Clients {
    /// How what there is is shared; `None` where all requests of these routes are of one client.
    pub(super) fn share_of(&self, routes: &[Route]) -> Option<SharePolicy> {
        let is_told = routes.iter().any(|route| route.client != Whose::Nobody);
        (is_told || self.has_classes).then(|| self.share.clone())
    }
}

/// Reads `[clients]` and the classes.
pub(super) fn read(root: &mut Section<'_>) -> Clients {
    let mut section = root.table("clients");
    let rules: Vec<_> = RULES.iter().map(|rule| (rule.name(), *rule)).collect();
    let rule = section.word("order", &rules);
    let half_life = section.duration("half_life", 100 * MS..=DAY);
    let slack = section.number("slack", 0.0..=100.0);
    let clients_max = section.whole("remembered_max", 1..=1_000_000);
    let config = ClientsConfig {
        shows_names: section.word("names", &[("masked", false), ("plain", true)]),
        shown_max: section.whole("shown_max", 0..=1000),
        deadline: header_or_none(&mut section, "deadline_header"),
    };
    section.finish();
    let (classes, has_classes) = classes(root);
    let share = SharePolicy { rule, half_life, slack, clients_max, classes };
    Clients { config, share, has_classes }
}

/// The classes by name, the one for routes that name none first; and whether they are more than
/// that one without any bound.
fn classes(root: &mut Section<'_>) -> (Vec<ClassPolicy>, bool) {
    let mut defaults = root.table("class_defaults");
    let mut classes = vec![class(&mut defaults, DEFAULT.to_owned())];
    let items = root.named("classes", &defaults);
    defaults.finish();
    root.check(items.len() < CLASSES_MAX, &["classes"], || {
        format!("classes: expected at most {} of them", CLASSES_MAX - 1)
    });
    let (default, free) = (&classes[0], Quota::default());
    let is_bound = [default.quota, default.client_quota].iter().any(|quota| *quota != free);
    let has_classes = is_bound || !items.is_empty();
    let mut listed: Vec<String> = Vec::new();
    for (name, mut item) in items {
        item.check(values::name(&name).is_some(), &["priority"], || {
            format!("classes has `{name}`: expected a name of {}", values::NAME)
        });
        let one = class(&mut item, name);
        for client in &one.clients {
            item.check(!listed.contains(client), &["clients"], || {
                format!("{} has `{client}`, as another class", item.name("clients"))
            });
            listed.push(client.clone());
        }
        item.finish();
        match classes.iter_mut().find(|known| known.name == one.name) {
            Some(known) => *known = one,
            None => classes.push(one),
        }
    }
    for class in &mut classes {
        // Those that are told by headers go by what is shown of these.
        let shown: Vec<String> = class.clients.iter().map(|one| whose::masked(one)).collect();
        class.clients.extend(shown);
    }
    (classes, has_classes)
}

fn class(section: &mut Section<'_>, name: String) -> ClassPolicy {
    let clients = section.texts("clients", "a list of clients");
    section.check(clients.len() <= LISTED_MAX, &["clients"], || {
        let name = section.name("clients");
        format!("{name} has {} entries: expected at most {LISTED_MAX}", clients.len())
    });
    ClassPolicy {
        name,
        priority: section.whole("priority", 0..=255),
        weight: section.number("weight", 0.001..=1000.0),
        clients,
        quota: quota(section, ["cpu", "cores"]),
        client_quota: quota(section, ["client_cpu", "client_cores"]),
    }
}

fn quota(section: &mut Section<'_>, [cpu, cores]: [&'static str; 2]) -> Quota {
    let expected = "\"off\", or work and a window, such as \"30s per 1m\"";
    let cpu = section.text(cpu, expected, |text| match text {
        "off" => Some(None),
        text => cpu_quota(text).map(Some),
    });
    Quota { cpu: cpu.flatten(), cores: section.whole_or(cores, "off", 1..=1_000_000) }
}

/// Work from `1ms`, in a window from `100ms` to `30d`.
fn cpu_quota(text: &str) -> Option<CpuQuota> {
    let (work, window) = text.split_once(" per ")?;
    let (work, window) = (values::duration(work)?, values::duration(window)?);
    let good = MS <= work && (100 * MS..=30 * DAY).contains(&window);
    good.then(|| CpuQuota { work: Work::saturating(work.as_secs_f64()), window })
}

/// How a route tells clients apart.
pub(super) fn whose(section: &mut Section<'_>) -> Whose {
    let expected = "\"none\", \"address\", \"certificate\", \"header.NAME\" or \"jwt.CLAIM\"";
    let read = |text: &str| match text {
        "none" => Some(Whose::Nobody),
        "address" => Some(Whose::Address),
        "certificate" => Some(Whose::Certificate),
        text if text.starts_with("jwt.") => {
            let claim = &text["jwt.".len()..];
            let is_good = (1..=CLAIM_BYTES_MAX).contains(&claim.len());
            is_good.then(|| Whose::Claim(claim.into()))
        }
        text => {
            let name = text.strip_prefix("header.")?;
            let name = HeaderName::try_from(name).ok()?;
            let is_its_own = name == AUTHORIZATION || name == COOKIE;
            (is_its_own || is_free_name(name.as_str())).then_some(Whose::Header(name))
        }
    };
    section.text("client", expected, read).unwrap_or_default()
}

/// The class of a route, one of these.
pub(super) fn class_of(section: &mut Section<'_>, classes: &[ClassPolicy]) -> ClassId {
    let expected = "\"default\" or the NAME of a [classes.NAME]";
    let nth = |name: &str| classes.iter().position(|class| class.name == name);
    let nth = section.text("class", expected, nth).unwrap_or_default();
    ClassId(u8::try_from(nth).unwrap_or_default())
}

fn header_or_none(section: &mut Section<'_>, key: &'static str) -> Option<HeaderName> {
    let expected = "the name of a header, such as \"request-timeout-ms\", or \"\" for none";
    let read = |text: &str| is_free_name(text).then(|| text.to_owned());
    let name = section.text(key, expected, read)?;
    HeaderName::try_from(name).ok()
}
