//! Configuration files from templates.

use super::proxies::ProxySetting;

/// Fills `{{listen}}`, `{{listen_address}}`, `{{listen_port}}`, `{{threads}}`, `{{cores}}` and
/// `{{folder}}`; repeats each line with `{{host}}` or `{{port}}` for every host, which may have
/// `{{host_address}}` too.
pub(super) fn fill(template: &str, place: &ProxySetting<'_>) -> String {
    let mut text = String::with_capacity(template.len());
    for line in template.lines() {
        if line.contains("{{host}}") || line.contains("{{port}}") {
            for host in place.hosts {
                let line = line.replace("{{host}}", &host.to_string());
                let line = line.replace("{{host_address}}", &host.ip().to_string());
                text.push_str(&line.replace("{{port}}", &host.port().to_string()));
                text.push('\n');
            }
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    let once = [
        ("{{listen}}", place.listen.to_string()),
        ("{{listen_address}}", place.listen.ip().to_string()),
        ("{{listen_port}}", place.listen.port().to_string()),
        ("{{threads}}", place.threads.to_string()),
        ("{{cores}}", place.cores.to_string()),
        ("{{folder}}", place.folder.display().to_string()),
    ];
    once.iter().fold(text, |text, (name, value)| text.replace(name, value))
}
