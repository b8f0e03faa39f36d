//! Invocations of functions on Lambda.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use weighbridge_aws::lambda::LambdaFunctions;
use weighbridge_proxy::lambda::{Functions, InvokeError};

use crate::aws;
use crate::emulators::Emulator;
use crate::functions::{Bootstrap, Told};

/// A scene with nothing in it: a gray picture.
const SCENE: &str = "0 0 5 0 0 0 0 1 0 45  1 0 0 0 1 1 1 1 0 0  0 0 0";

async fn invoke(url: &str, function: &str, event: &Value) -> Result<Value, InvokeError> {
    let functions = LambdaFunctions::new(&aws(url).await, Duration::from_secs(5));
    let result = functions.invoke(function, Bytes::from(event.to_string())).await?;
    Ok(serde_json::from_slice(&result).expect("a function returns JSON"))
}

fn told<'a>(name: &'a str, environment: (&'a str, &'a str)) -> Told<'a> {
    Told { name, environment, timeout: 60 }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_function_answers_events_of_the_contract_and_of_http_alike() {
    let lambda = Emulator::ministack();
    let real = Bootstrap::real();
    real.create(&lambda, &told("raytrace", ("WEIGHBRIDGE_OPERATION", "raytrace")));
    let input = "MCAwIDUgMCAwIDAgMCAxIDAgNDUgIDEgMCAwIDAgMSAxIDEgMSAwIDAgIDAgMCAw";
    let contract = json!({
        "scols": "20", "srows": "10", "wcols": "20", "wrows": "10", "coff": "0", "roff": "0",
        "aa": "false", "multi": "true", "input": input,
    });
    let bare = invoke(&lambda.url(), "raytrace", &contract).await.expect("it answers");
    let bare = bare.as_str().expect("a string").to_owned();

    let mut asking = contract.clone();
    asking["report"] = "true".into();
    let reported = invoke(&lambda.url(), "raytrace", &asking).await.expect("it answers");
    assert_eq!(reported["result"], bare);
    assert!(0.0 < reported["report"]["request_cost"]["cpu_seconds"].as_f64().expect("measured"));

    let query = "scols=20&srows=10&wcols=20&wrows=10&coff=0&roff=0";
    let http = json!({
        "version": "2.0", "rawPath": "/raytracer", "rawQueryString": query,
        "requestContext": {"http": {"method": "POST"}},
        "body": json!({ "scene": SCENE }).to_string(), "isBase64Encoded": false,
    });
    let answer = invoke(&lambda.url(), "raytrace", &http).await.expect("it answers");
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["body"], format!("data:image/bmp;base64,{bare}"));
    assert!(answer["headers"]["endpoint-load-metrics"].is_string());

    let wrong = invoke(&lambda.url(), "raytrace", &json!({ "input": input })).await.unwrap_err();
    let expected = "the function failed: BadRequest: `scols` cannot be used";
    assert!(wrong.to_string().starts_with(expected), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_is_told_apart() {
    let lambda = Emulator::ministack();
    let obedient = Bootstrap::obedient();
    for what in ["crash", "error", "echo"] {
        obedient.create(&lambda, &told(what, ("DO", what)));
    }
    obedient.create(&lambda, &Told { timeout: 1, ..told("hang", ("DO", "hang")) });
    let event = json!({});
    let failed = async |function| invoke(&lambda.url(), function, &event).await.unwrap_err();

    let error = failed("error").await;
    assert_eq!(error.to_string(), "the function failed: Told: as told");
    let crash = failed("crash").await;
    assert!(matches!(crash, InvokeError::Function(_)), "{crash:?}");
    let hang = failed("hang").await;
    assert!(matches!(hang, InvokeError::Timeout), "{hang:?}");
    let nothing = failed("nothing").await;
    assert!(matches!(nothing, InvokeError::Rejected(_)), "{nothing:?}");
    crate::functions::reserve(&lambda, "echo", 0);
    let throttled = failed("echo").await;
    assert!(matches!(throttled, InvokeError::Throttled), "{throttled:?}");

    let gone = format!("http://{}", lambda.kill());
    let unreachable = invoke(&gone, "echo", &event).await.unwrap_err();
    assert!(matches!(unreachable, InvokeError::Unavailable(_)), "{unreachable:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_lambda_itself_are_told_apart_and_not_retried() {
    let lambda = Emulator::ministack();
    Bootstrap::obedient().create(&lambda, &told("plain", ("DO", "plain")));
    let faulty = Emulator::microburst(&lambda);
    let cases = [
        ("TooManyRequestsException", 429, "throttled"),
        ("RequestTooLargeException", 413, "too long"),
        ("ServiceException", 500, "unavailable"),
        ("AccessDeniedException", 403, "rejected"),
    ];
    for (code, status, expected) in cases {
        let rule = json!([{
            "service": "lambda", "operation": "Invoke",
            "error": { "code": code, "status": status },
        }]);
        faulty.rules(&rule.to_string());
        let said = match invoke(&faulty.url(), "plain", &json!({})).await {
            Err(InvokeError::Throttled) => "throttled",
            Err(InvokeError::TooLong) => "too long",
            Err(InvokeError::Unavailable(_)) => "unavailable",
            Err(InvokeError::Rejected(_)) => "rejected",
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(said, expected, "{code}");
    }
    faulty.rules("[]");
    let answer = invoke(&faulty.url(), "plain", &json!({})).await.expect("no fault is left");
    assert_eq!(answer, json!({ "hello": "world" }));
}
