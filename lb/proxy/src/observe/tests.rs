use super::*;

fn heard(json: &str) -> HostReport {
    let mut headers = HeaderMap::new();
    let value = format!("JSON {{\"named_metrics\":{{{json}}}}}");
    headers.insert(&REPORT[0], value.parse().unwrap());
    report(&headers).unwrap().unwrap().host
}

#[test]
fn a_host_tells_its_discipline_its_speed_and_its_slots() {
    let host = heard(r#""discipline_srpt":1.0,"discipline_ps":0.0,"speed":1.5,"slots":4.0"#);
    assert_eq!(host.discipline, Some(Discipline::Srpt));
    assert_eq!(host.speed, Speed::from_reference_cores(1.5));
    assert_eq!(host.slots, Some(4));
}

#[test]
fn what_a_host_does_not_say_clearly_is_not_known() {
    let host = heard(r#""discipline_ps":1.0,"discipline_fcfs":1.0,"speed":1.0"#);
    assert_eq!((host.discipline, host.speed, host.slots), (None, None, None));
    assert_eq!(heard(r#""discipline_ps":0.5,"speed":0.0"#).discipline, None);
}
