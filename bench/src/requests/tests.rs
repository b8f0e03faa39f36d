use weighbridge_worker::operations::{Limits, OperationRequest, by_name, run};

use super::*;

#[test]
fn the_worker_answers_every_request() {
    let mut random = Rng::with_seed(1);
    let formats = [&[][..], &[picture::Format::Gif], &[picture::Format::Tiff]];
    for (route, formats) in Route::ALL.into_iter().flat_map(|r| formats.map(|f| (r, f))) {
        for _ in 0..15 {
            let request = route.request_of(&mut random, formats);
            let asked = OperationRequest {
                query: request.query(),
                content_type: Some(request.content_type),
                accept: None,
                body: &request.body,
            };
            let operation = by_name(route.name()).expect("the worker has it");
            let reply = run(operation, &asked, &Limits::default());
            assert!(reply.is_ok(), "{} {}: {reply:?}", route.name(), request.target);
        }
    }
}

#[test]
fn a_seed_gives_the_same_requests() {
    for route in Route::ALL {
        let [one, same, other] = [5, 5, 6].map(|seed| route.request(&mut Rng::with_seed(seed)));
        assert_eq!((&one.target, &one.body), (&same.target, &same.body));
        assert_ne!(one.body, other.body);
    }
}

#[test]
fn sizes_are_spread_over_more_than_a_decade() {
    let mut random = Rng::with_seed(2);
    for route in [Route::Blur, Route::Enhance] {
        let sizes = (0..40).map(|_| route.request(&mut random).body.len()).collect::<Vec<_>>();
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        assert!(least * 10 < *most, "{sizes:?}");
    }
}
