//! Lambda: which functions the routes spill over to, and what they may cost.

use std::time::Duration;

use weighbridge_core::policy::{FunctionId, FunctionPolicy, LambdaPolicy, RoutePolicy};
use weighbridge_core::units::Speed;

use super::reader::Section;
use super::{BodyMode, LambdaConfig, Route};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Gigabytes of memory for which Lambda gives a function one whole core.
const GB_PER_CORE: f64 = 1.769;

/// The longest event and result that Lambda carries, in bytes.
const PAYLOAD_BYTES_MAX: u64 = 6 << 20;

/// Reads `[lambda]`, which `routes` name functions of, all of them known or not, and tells their
/// policies which. `None` for the policy where it is off: then the routes' functions are not used.
pub(super) fn read(
    mut section: Section<'_>,
    (routes, are_known): (&[Route], bool),
    policies: &mut [RoutePolicy],
) -> (LambdaConfig, Option<LambdaPolicy>) {
    let enabled = section.flag("enabled");
    let timeout = section.duration("timeout", 100 * MS..=900 * SECOND);
    let memory_gb = section.number("memory_gb", 0.125..=32.0);
    let one = FunctionPolicy {
        name: String::new(),
        concurrency_max: section.whole("concurrency_max", 1..=100_000),
        memory_gb,
        speed: speed(memory_gb),
        cold_start: section.duration("cold_start", Duration::ZERO..=60 * SECOND),
        payload_bytes_max: section.size("payload_bytes_max", 0..=PAYLOAD_BYTES_MAX),
    };
    let mut policy = LambdaPolicy {
        functions: Vec::new(),
        usd_per_hour_max: section.number("usd_per_hour_max", 0.0..=1e6),
        usd_per_gb_second: section.number("usd_per_gb_second", 0.0..=1.0),
        usd_per_request: section.number("usd_per_request", 0.0..=1.0),
    };
    for (route, of_route) in routes.iter().zip(policies) {
        if !route.function.is_empty() {
            of_route.function = Some(id(&mut policy, &one, &route.function)).filter(|_| enabled);
        }
    }
    let names_some = !policy.functions.is_empty() || !are_known;
    section.check(!enabled || names_some, &["enabled"], || {
        "lambda.enabled is true, but no route names a function: expected `lambda = \"FUNCTION\"` in \
         one of them"
            .to_owned()
    });
    section.finish();
    (LambdaConfig { timeout }, enabled.then_some(policy))
}

/// The key `lambda` of a route: the name of a function; empty for none.
pub(super) fn function(section: &mut Section<'_>, body: BodyMode) -> String {
    let expected = "the name of a function, with `:ALIAS` or not, its ARN, or \"\" for none";
    let function = section.text("lambda", expected, name).unwrap_or_default();
    section.check(function.is_empty() || body == BodyMode::Buffer, &["lambda", "body"], || {
        let name = section.name("lambda");
        format!("{name} names a function, but bodies are streamed: expected body = \"buffer\"")
    });
    function
}

/// The number of `function`, which is added where it is new.
fn id(policy: &mut LambdaPolicy, one: &FunctionPolicy, function: &str) -> FunctionId {
    let known = policy.functions.iter().position(|known| known.name == function);
    let index = known.unwrap_or_else(|| {
        policy.functions.push(FunctionPolicy { name: function.to_owned(), ..one.clone() });
        policy.functions.len() - 1
    });
    FunctionId(u16::try_from(index).unwrap_or(u16::MAX))
}

/// Speed of a function until it has been learned. More memory than for one core brings more cores,
/// which a request that runs on one of them does not feel.
fn speed(memory_gb: f64) -> Speed {
    Speed::from_reference_cores((memory_gb / GB_PER_CORE).min(1.0)).unwrap_or(Speed::ONE)
}

fn name(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:$.".contains(&byte);
    (text.len() <= 170 && text.bytes().all(plain)).then(|| text.to_owned())
}
