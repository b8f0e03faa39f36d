//! What EC2 is asked for, word for word.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::{ec2, place};
use crate::harness::client::read_head;
use crate::harness::eventually;

/// Launches that fail for a reason that may pass at once; those after them fail for lack of
/// capacity.
const OUT_OF_ORDER: usize = 3;

/// An EC2 that has no instances, and writes down what is asked of `RunInstances`.
struct Empty {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Empty {
    fn start() -> Empty {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it listens");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let noted = Arc::clone(&noted);
                thread::spawn(move || {
                    // Ends with the connection.
                    let _ended = serve(stream, &noted);
                });
            }
        });
        Empty { address, asked }
    }

    /// The values of `key` in all that was asked.
    fn asked(&self, key: &str) -> Vec<String> {
        let asked = self.asked.lock();
        let value = |call: &String| {
            let mut pairs = call.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
        };
        asked.iter().map(|call| value(call).unwrap_or_default()).collect()
    }
}

fn serve(mut stream: TcpStream, noted: &Mutex<Vec<String>>) -> io::Result<()> {
    loop {
        let (head, body) = read_head(&mut stream)?;
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut rest = vec![0; length.saturating_sub(body.len())];
        stream.read_exact(&mut rest)?;
        let call = String::from_utf8_lossy(&[body, rest].concat()).into_owned();
        let (status, answer) = if call.contains("Action=RunInstances") {
            let mut noted = noted.lock();
            noted.push(call);
            let passes = noted.len() <= OUT_OF_ORDER;
            let code = if passes { "InternalError" } else { "InsufficientInstanceCapacity" };
            let error = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
            (500, format!("<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>"))
        } else {
            (200, "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>".into())
        };
        let length = answer.len();
        let head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{answer}").as_bytes())?;
    }
}

#[test]
fn one_launch_keeps_its_token_over_all_its_tries_and_has_one_for_each_subnet() {
    let cloud = Empty::start();
    let further =
        "subnets = [\"subnet-a\", \"subnet-b\"]\nspot = true\nuser_data = \"#!/bin/sh\"\n";
    let place = place(&ec2(1, 1, further), &format!("http://{}", cloud.address));
    let _balancer = place.serve();
    let subnets = eventually("some tries", || {
        Some(cloud.asked("SubnetId")).filter(|subnets| OUT_OF_ORDER + 4 <= subnets.len())
    });
    // Out of order: the same again. No capacity: the next subnet at once, and then from the first.
    let expected = ["a", "a", "a", "a", "b", "a", "b"].map(|name| format!("subnet-{name}"));
    assert_eq!(subnets[..expected.len()], expected);
    let tokens = cloud.asked("ClientToken");
    let launch = tokens[0].strip_suffix("-0").expect("the token of the first subnet");
    for (subnet, token) in subnets.iter().zip(&tokens) {
        let nth = usize::from(subnet == "subnet-b");
        assert_eq!(*token, format!("{launch}-{nth}"));
    }
    assert!(tokens.iter().all(|token| token.len() <= 64 && !launch.is_empty()));
    assert_eq!(cloud.asked("InstanceMarketOptions.MarketType")[0], "spot");
    assert_eq!(cloud.asked("UserData")[0], "IyEvYmluL3No");
}

#[test]
fn the_next_type_is_tried_where_no_subnet_has_the_last_one() {
    let cloud = Empty::start();
    let config = ec2(1, 1, "subnets = [\"subnet-a\", \"subnet-b\"]\n")
        .replace("instance_type = \"c5.large\"", "instance_types = [\"c6i.large\", \"m5.large\"]");
    let place = place(&config, &format!("http://{}", cloud.address));
    let _balancer = place.serve();
    let types = eventually("some tries", || {
        Some(cloud.asked("InstanceType")).filter(|types| OUT_OF_ORDER + 5 <= types.len())
    });
    let subnets = cloud.asked("SubnetId");
    let tokens = cloud.asked("ClientToken");
    // Those that failed for another reason were the first try, again and again.
    let launch = tokens[0].strip_suffix("-0").expect("the token of the first type and subnet");
    let first = OUT_OF_ORDER;
    for (nth, (kind, subnet)) in [
        ("c6i.large", "subnet-a"),
        ("c6i.large", "subnet-b"),
        ("m5.large", "subnet-a"),
        ("m5.large", "subnet-b"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!((types[first + nth].as_str(), subnets[first + nth].as_str()), (kind, subnet));
        assert_eq!(tokens[first + nth], format!("{launch}-{nth}"));
    }
    assert_eq!(types[first + 4], "c6i.large", "and then from the first");
}
