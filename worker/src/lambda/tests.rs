use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use weighbridge_instrument::LoadReport;

use super::*;
use crate::operations::{self, Blur, Enhance, OperationRequest, RayTrace};

const SCENE: &str = "0 2 8  0 0 0  0 1 0  45  2  0 0 0  1 1 1  1 0 0  4 8 6  1 1 1  1 0 0 \
                     1 solid .8 .2 .1  1 .2 .7 .3 40 0 0 0  1  0 0 sphere 0 0 0 2";
const VIEW: &str = "scols=30&srows=20&wcols=30&wrows=20&coff=0&roff=0&aa=true";

fn invoke(operation: &str, event: Value) -> Result<Value, Diagnostic> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let output = runtime.block_on(Function::new(operation.to_owned()).invoke(event));
    output.map(|output| serde_json::to_value(output).unwrap()).map_err(Diagnostic::from)
}

/// What a worker answers to the same request.
fn worker(
    operation: &dyn Operation,
    query: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> Vec<u8> {
    let request = OperationRequest { query, content_type, accept: None, body };
    operations::run(operation, &request, &Limits::default()).unwrap().body
}

fn png() -> Vec<u8> {
    let pixel = |x: u32, y: u32| Rgb([(x * 5) as u8, (y * 3) as u8, (x * y) as u8]);
    let mut file = Cursor::new(Vec::new());
    RgbImage::from_fn(40, 30, pixel).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

fn data_url(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}

fn bare(reply: &[u8]) -> String {
    String::from_utf8_lossy(reply).split_once(',').unwrap().1.to_owned()
}

fn http_event(path: &str, query: &str, body: &str, is_base64_encoded: bool) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": query,
        "headers": {"content-type": "image/png"},
        "requestContext": {"http": {"method": "POST", "path": path}},
        "body": body, "isBase64Encoded": is_base64_encoded,
    })
}

#[test]
fn contract_events_are_answered_with_the_bare_base64() {
    let image = png();
    for (name, operation) in [("blur", &Blur as &dyn Operation), ("enhance", &Enhance)] {
        let event = json!({"body": STANDARD.encode(&image), "fileFormat": "png"});
        let expected = bare(&worker(operation, "", None, data_url(&image).as_bytes()));
        assert_eq!(invoke(name, event), Ok(Value::String(expected)));
    }
    let body = json!({"scene": SCENE}).to_string();
    let expected = bare(&worker(&RayTrace, VIEW, None, body.as_bytes()));
    let event = json!({
        "scols": "30", "srows": "20", "wcols": "30", "wrows": "20", "coff": "0", "roff": "0",
        "aa": "true", "multi": "false", "input": STANDARD.encode(SCENE),
    });
    assert_eq!(invoke("raytrace", event), Ok(Value::String(expected)));
}

#[test]
fn a_contract_event_that_asks_for_it_is_told_what_it_cost() {
    let event = json!({"body": STANDARD.encode(png()), "fileFormat": "jpg"});
    let Ok(Value::String(result)) = invoke("blur", event.clone()) else { panic!("a string") };
    let mut asking = event;
    asking["report"] = "true".into();
    let answer = invoke("blur", asking).unwrap();
    assert_eq!(answer["result"], result);
    let report = LoadReport::decode_json(&answer["report"].to_string()).unwrap();
    assert!(0.0 < report.request_cost["cpu_seconds"]);
    assert!((report.named_metrics["cold_start"] - 1.0).abs() < 1e-9);
}

#[test]
fn a_mistake_in_a_contract_event_is_a_function_error_that_names_the_member() {
    let image = STANDARD.encode(png());
    let cases = [
        ("blur", json!({"fileFormat": "png"}), "`body` is missing"),
        ("blur", json!({"body": image}), "`fileFormat` is missing"),
        ("blur", json!({"body": 7, "fileFormat": "png"}), "`body` is a number: expected a string"),
        ("blur", json!({"body": image, "fileFormat": "a;b"}), "`fileFormat` is no format"),
        ("enhance", json!({"body": "AAAA", "fileFormat": "png"}), "`body` cannot be used"),
        ("raytrace", json!({"input": "!"}), "`input` is not base64"),
        ("raytrace", json!({"scols": "x y", "input": ""}), "`scols` is neither"),
        ("raytrace", json!({"input": STANDARD.encode(SCENE)}), "`scols` cannot be used"),
        (
            "nothing",
            json!({"body": image, "fileFormat": "png"}),
            "`WEIGHBRIDGE_OPERATION` is `nothing`",
        ),
        ("blur", json!("text"), "the event is a string"),
    ];
    for (operation, event, expected) in cases {
        let error = invoke(operation, event).unwrap_err();
        assert!(error.error_message.starts_with(expected), "{error:?}, expected {expected}");
    }
}

#[test]
fn http_events_are_answered_as_a_worker_answers() {
    let image = png();
    let url = data_url(&image);
    let answer = invoke("", http_event("/blurimage", "", &url, false)).unwrap();
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["isBase64Encoded"], false);
    let expected = worker(&Blur, "", None, url.as_bytes());
    assert_eq!(answer["body"].as_str().unwrap().as_bytes(), expected);

    let raw = invoke("", http_event("/enhanceimage", "", &STANDARD.encode(&image), true)).unwrap();
    assert_eq!(raw["headers"]["content-type"], "image/png");
    assert_eq!(raw["isBase64Encoded"], true);
    let body = STANDARD.decode(raw["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, worker(&Enhance, "", Some("image/png"), &image));
    assert_eq!(raw["headers"]["access-control-allow-origin"], "*");
    let report = raw["headers"]["endpoint-load-metrics"].as_str().unwrap();
    let report = LoadReport::decode_header(report).unwrap();
    assert!(0.0 < report.request_cost["cpu_seconds"]);

    let body = json!({"scene": SCENE}).to_string();
    let traced = invoke("blur", http_event("/raytracer", VIEW, &body, false)).unwrap();
    let expected = worker(&RayTrace, VIEW, None, body.as_bytes());
    assert_eq!(traced["body"].as_str().unwrap().as_bytes(), expected, "the path says what");
}

#[test]
fn a_mistake_in_an_http_event_is_a_problem() {
    let cases = [
        (http_event("/blurimage", "", "", false), 400, "body"),
        (http_event("/blurimage", "", "!", true), 400, "body"),
        (http_event("/raytracer", "scols=1", "{}", false), 400, "srows"),
    ];
    for (event, status, field) in cases {
        let answer = invoke("", event).unwrap();
        assert_eq!(answer["statusCode"], status);
        assert_eq!(answer["headers"]["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(problem["field"], field);
    }
    assert_eq!(invoke("", http_event("/nowhere", "", "", false)).unwrap()["statusCode"], 404);
    assert_eq!(invoke("", http_event("/", "", "", false)).unwrap()["statusCode"], 200);
}

#[test]
fn a_result_that_lambda_would_not_pass_on_is_called_what_lambda_calls_it() {
    let body = json!({"scene": "0 0 5  0 0 0  0 1 0  45  1 0 0 0 1 1 1 1 0 0  0 0 0"}).to_string();
    let query = "scols=1300&srows=1300&wcols=1300&wrows=1300&coff=0&roff=0";
    let error = invoke("", http_event("/raytracer", query, &body, false)).unwrap_err();
    assert_eq!(error.error_type, "Function.ResponseSizeTooLarge");
}
