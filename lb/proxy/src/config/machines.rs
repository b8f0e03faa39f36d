//! Rented machines: `[fleet.ec2]`, `[fleet.asg]`, and `[fleet.machines]` for both.

use std::time::Duration;

use weighbridge_core::host::Discipline;

use super::fleet::Chosen;
use super::reader::Section;
use super::{AsgFleet, Ec2Fleet, MachineConfig};

/// Price of an hour of one ordinary core, in USD: half a c5.large, on demand, in us-east-1. Prices
/// of hosts are relative to it.
const USD_PER_CORE_HOUR: f64 = 0.0425;

/// The longest user data, in bytes, that EC2 takes.
const USER_DATA_BYTES_MAX: usize = 16 * 1024;

/// Reads `[fleet.ec2]`, which is used where it is `chosen`, or only checked.
pub(super) fn ec2(mut section: Section<'_>, machine: MachineConfig, chosen: Chosen) -> Ec2Fleet {
    let fleet = Ec2Fleet {
        machine,
        name: section
            .text("name", "1 to 64 of a-z, A-Z, 0-9, `_`, `.` and `-`", name)
            .unwrap_or_default(),
        launch_template: optional(&mut section, "launch_template"),
        launch_template_version: section
            .text("launch_template_version", "a number, \"$Default\" or \"$Latest\"", version)
            .unwrap_or_default(),
        image: optional(&mut section, "image"),
        instance_types: instance_types(&mut section),
        key_name: optional(&mut section, "key_name"),
        security_groups: section.texts("security_groups", "a list of ids of security groups"),
        instance_profile: optional(&mut section, "instance_profile"),
        user_data: user_data(&mut section),
        subnets: section.texts("subnets", "a list of ids of subnets"),
        spot: section.flag("spot"),
        warm: section.whole("warm", 0..=1000),
    };
    let complete = fleet.image.is_some() && !fleet.instance_types.is_empty();
    let keys = ["launch_template", "image", "instance_type", "instance_types"];
    let is_used = chosen.is("ec2");
    section.check(!is_used || fleet.launch_template.is_some() || complete, &keys, || {
        "fleet.ec2 says not what to launch: expected a launch_template, or image and instance_type"
            .to_owned()
    });
    let is_said = fleet.launch_template.is_some() || fleet.image.is_some();
    chosen.check_idle(&section, "ec2", ("says what to launch", &keys), is_said);
    let lists = [("subnets", &fleet.subnets), ("instance_types", &fleet.instance_types)];
    for (key, list) in lists {
        for (i, one) in list.iter().enumerate() {
            section.check(!list[..i].contains(one), &[key], || {
                format!("fleet.ec2.{key} names `{one}` twice")
            });
        }
    }
    // EC2 refuses to stop instances of a spot request.
    section.check(!fleet.spot || fleet.warm == 0, &["warm", "spot"], || {
        "fleet.ec2.warm is above 0 with spot instances, which cannot be stopped: expected 0"
            .to_owned()
    });
    section.finish();
    fleet
}

/// Reads `[fleet.asg]`, which is used where it is `chosen`, or only checked.
pub(super) fn asg(mut section: Section<'_>, machine: MachineConfig, chosen: Chosen) -> AsgFleet {
    let group = optional(&mut section, "group").unwrap_or_default();
    let fleet = AsgFleet { machine, group };
    section.check(!chosen.is("asg") || !fleet.group.is_empty(), &["group"], || {
        "fleet.asg.group is empty: expected the name of an Auto Scaling group".to_owned()
    });
    chosen.check_idle(&section, "asg", ("names a group", &["group"]), !fleet.group.is_empty());
    section.finish();
    fleet
}

/// Reads `[fleet.machines]`.
pub(super) fn machine(mut section: Section<'_>) -> MachineConfig {
    let (cores, discipline) = cores_and_discipline(&mut section);
    let usd_per_hour = section.number("usd_per_hour", 0.0..=1000.0);
    let price = if 0.0 < usd_per_hour {
        usd_per_hour / f64::from(cores.max(1)) / USD_PER_CORE_HOUR
    } else {
        1.0
    };
    let (ms, minute) = (Duration::from_millis(1), Duration::from_mins(1));
    let machine = MachineConfig {
        port: section.whole("port", 1..=65_535),
        cores,
        discipline,
        price,
        poll: section.duration("poll", 50 * ms..=10 * minute),
        timeout: section.duration("timeout", 50 * ms..=10 * minute),
    };
    section.finish();
    machine
}

/// The instance types in the order in which they are tried: one, or several.
fn instance_types(section: &mut Section<'_>) -> Vec<String> {
    let one = optional(section, "instance_type");
    let several = section.texts("instance_types", "a list of instance types");
    let keys = ["instance_types", "instance_type"];
    section.check(one.is_none() || several.is_empty(), &keys, || {
        "fleet.ec2 has instance_type and instance_types: expected one of them".to_owned()
    });
    section.check(!several.iter().any(String::is_empty), &["instance_types"], || {
        "fleet.ec2.instance_types has an empty text: expected instance types".to_owned()
    });
    if several.is_empty() { one.into_iter().collect() } else { several }
}

/// A text, or nothing where it is empty.
fn optional(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let text = section.text(key, "a text", |text| Some(text.to_owned()));
    text.filter(|text| !text.is_empty())
}

fn user_data(section: &mut Section<'_>) -> Option<String> {
    let fits = |text: &str| (text.len() <= USER_DATA_BYTES_MAX).then(|| text.to_owned());
    let text = section.text("user_data", "a text of at most 16 KiB", fits);
    text.filter(|text| !text.is_empty())
}

fn name(text: &str) -> Option<String> {
    let may = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    ((1..=64).contains(&text.len()) && text.chars().all(may)).then(|| text.to_owned())
}

fn version(text: &str) -> Option<String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number || matches!(text, "$Default" | "$Latest")).then(|| text.to_owned())
}

/// Cores and discipline of a host that may say itself what it is.
pub(super) fn cores_and_discipline(section: &mut Section<'_>) -> (u32, Option<Discipline>) {
    let named = Discipline::ALL.into_iter().map(|one| (one.name(), Some(one)));
    let disciplines: Vec<_> = [("auto", None)].into_iter().chain(named).collect();
    (section.whole("cores", 1..=1024), section.word("discipline", &disciplines))
}
