//! What CloudWatch says of CPUs scales a fleet whose workers have nothing to do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::cloud::ask;
use super::{Cloud, ec2, events, failures, ids, place};
use crate::emulators::Emulator;
use crate::harness::client::Client;
use crate::harness::requests::{jobs, mixed};
use crate::harness::until;

/// Says that the CPU of `instance` was busy by so many percent, `age` ago.
#[track_caller]
fn put(ministack: &Emulator, instance: &str, percent: u32, age: Duration) {
    let at = SystemTime::now().checked_sub(age).expect("after 1970");
    let at = at.duration_since(UNIX_EPOCH).expect("after 1970");
    let call = format!(
        "Action=PutMetricData&Namespace=AWS/EC2\
         &MetricData.member.1.MetricName=CPUUtilization&MetricData.member.1.Value={percent}\
         &MetricData.member.1.Timestamp={}\
         &MetricData.member.1.Dimensions.member.1.Name=InstanceId\
         &MetricData.member.1.Dimensions.member.1.Value={instance}",
        at.as_secs()
    );
    ask(ministack.address(), "monitoring", &call);
}

#[test]
fn a_fleet_follows_what_cloudwatch_says_and_survives_its_absence() {
    let cloud = Cloud::start();
    let ministack = Emulator::ministack();
    let config = ec2(1, 3, "") + "cpu_source = \"cloudwatch\"\ncpu_interval = \"1s\"\n";
    let place = place(&config, &cloud.moto.url())
        .with(&[("AWS_ENDPOINT_URL_CLOUDWATCH", &ministack.url())]);
    let balancer = place.serve();
    let first = ids(&balancer.has_active(1));

    put(&ministack, &first[0], 95, Duration::from_mins(5));
    let two = ids(&balancer.has_active(2));
    assert_eq!(two, cloud.running());
    assert!((events(&balancer, "launch") - 2.0).abs() < 0.5);

    for instance in &two {
        put(&ministack, instance, 5, Duration::from_mins(1));
    }
    until("one instance", || cloud.running().len() == 1 && balancer.hosts().len() == 1);
    assert!(failures(&balancer, "cpu") < 1.0);

    ministack.kill();
    until("it is missed", || 1.0 <= failures(&balancer, "cpu"));
    for job in jobs(&mut Client::new(balancer.listen), mixed()).iter() {
        job.check(&balancer.ask(&job.request)).expect("a right answer");
    }
    assert_eq!(ids(&balancer.hosts()), cloud.running());
}
