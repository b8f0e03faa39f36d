//! How busy CPUs are, as CloudWatch has it.

use super::{Cloud, EC2, SCALE, ids, place};
use crate::harness::until;

#[test]
fn cpus_are_as_busy_as_cloudwatch_says() {
    let cloud = Cloud::start();
    let config = format!(
        "{EC2}{SCALE}hosts_min = 1\nhosts_max = 1\n\
         cpu_source = \"cloudwatch\"\ncpu_interval = \"200ms\"\n"
    );
    let place = place(&config, &cloud.moto.url());
    let balancer = place.serve();
    let id = ids(&balancer.has_active(1)).remove(0);
    let told = |percent: u32| {
        let data = "MetricData.member.1";
        cloud.ask(
            "monitoring",
            &format!(
                "Action=PutMetricData&Namespace=AWS%2FEC2&{data}.MetricName=CPUUtilization&\
                 {data}.Dimensions.member.1.Name=InstanceId&{data}.Dimensions.member.1.Value={id}&\
                 {data}.Value={percent}"
            ),
        );
    };
    told(1377);
    until("it is believed", || {
        let utilization = balancer.hosts()[0].0["utilization"].as_f64();
        utilization.is_some_and(|u| (u - 13.77).abs() < 1e-6)
    });
}
