//! A fleet that is an Auto Scaling group.

use super::{Cloud, MACHINES, SCALE, ids, place};
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{jobs, mixed};
use crate::harness::until;

const ASG: &str = "\
[fleet]
kind = \"asg\"
[fleet.asg]
group = \"workers\"
";

/// A group of one to two instances, and the size that it is to have.
fn group(cloud: &Cloud) {
    cloud.ask(
        "ec2",
        "Action=CreateLaunchTemplate&LaunchTemplateName=worker&\
         LaunchTemplateData.ImageId=ami-12c6146b&LaunchTemplateData.InstanceType=c5.large",
    );
    cloud.ask(
        "autoscaling",
        "Action=CreateAutoScalingGroup&AutoScalingGroupName=workers&MinSize=1&MaxSize=2&\
         DesiredCapacity=1&AvailabilityZones.member.1=us-east-1a&\
         LaunchTemplate.LaunchTemplateName=worker&LaunchTemplate.Version=%24Default",
    );
}

fn desired(cloud: &Cloud) -> String {
    let answer = cloud.ask("autoscaling", "Action=DescribeAutoScalingGroups");
    let rest = answer.split("<DesiredCapacity>").nth(1).expect("there is a group");
    rest.split('<').next().expect("a number").to_owned()
}

#[test]
fn a_group_grows_to_its_own_most_and_shrinks_without_a_failed_request() {
    let cloud = Cloud::start();
    group(&cloud);
    let config = format!("{ASG}{MACHINES}{SCALE}hosts_min = 1\nhosts_max = 5\n");
    let place = place(&config, &cloud.moto.url());
    let balancer = place.serve();
    assert_eq!(ids(&balancer.has_active(1)), cloud.running(), "the group's instance is adopted");
    until("the group's bound is told", || {
        0.5 < balancer.metric("weighbridge_fleet_bounded", "bound=\"most\"")
    });
    assert!(balancer.metric("weighbridge_fleet_bounded", "bound=\"least\"") < 0.5);
    let jobs = jobs(&mut Client::new(balancer.listen), mixed());

    let burst = Load::closed(balancer.listen, &jobs, 8);
    balancer.has_active(2);
    let answered = burst.answered();
    until("answers of both", || answered + 30 < burst.answered());
    burst.stop().assert_faultless();
    assert_eq!(desired(&cloud), "2");

    let trickle = Load::open(balancer.listen, &jobs, 4.0);
    until("one instance", || cloud.running().len() == 1 && balancer.hosts().len() == 1);
    trickle.stop().assert_faultless();
    assert_eq!(desired(&cloud), "1", "the group does not replace what was not needed");
    assert_eq!(ids(&balancer.hosts()), cloud.running());
    assert_eq!(cloud.most(), 2);
    assert!(balancer.metric("weighbridge_hosts_lost_total", "") < 1.0);
}
