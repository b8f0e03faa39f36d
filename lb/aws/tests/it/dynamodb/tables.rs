//! The tables: made, shared, checked.

use std::time::UNIX_EPOCH;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use weighbridge_proxy::store::{ObservationStore, StoreError};

use weighbridge_aws::dynamodb::DynamoStore;

use super::{client, rows, store};
use crate::emulators::Emulator;

const NAMES: [&str; 2] = ["weighbridge-observations", "weighbridge-state"];

#[tokio::test]
async fn tables_are_made_billed_by_request_and_expire() {
    let roto = Emulator::roto(None);
    store(&roto.url()).await.prepare().await.unwrap();
    let client = client(&roto.url()).await;
    for (name, keys) in NAMES.iter().zip([&["pk", "sk"][..], &["pk"]]) {
        let table = client.describe_table().table_name(*name).send().await.unwrap().table.unwrap();
        let found: Vec<&str> =
            table.key_schema().iter().map(KeySchemaElement::attribute_name).collect();
        assert_eq!(found, keys);
        let billing = table.billing_mode_summary.and_then(|summary| summary.billing_mode);
        assert_eq!(billing, Some(BillingMode::PayPerRequest));
    }
    let ttl = client.describe_time_to_live().table_name(NAMES[0]).send().await.unwrap();
    let ttl = ttl.time_to_live_description.unwrap();
    assert_eq!(ttl.attribute_name.as_deref(), Some("expires_at"));
}

#[tokio::test]
async fn several_may_make_them_at_once() {
    let roto = Emulator::roto(None);
    let stores = [store(&roto.url()).await, store(&roto.url()).await, store(&roto.url()).await];
    let made = futures_util::future::join_all(stores.iter().map(DynamoStore::prepare)).await;
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    stores[0].append(&rows("blur", 2)).await.unwrap();
    assert_eq!(stores[1].recent("blur", 5, UNIX_EPOCH).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_table_with_other_keys_is_a_clear_error_that_does_not_pass() {
    let roto = Emulator::roto(None);
    let attribute = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::N)
        .build()
        .unwrap();
    let key =
        KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
    let client = client(&roto.url()).await;
    let create = client.create_table().table_name(NAMES[0]).attribute_definitions(attribute);
    let create = create.key_schema(key).billing_mode(BillingMode::PayPerRequest);
    create.send().await.unwrap();
    let error = store(&roto.url()).await.append(&rows("blur", 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongTable { .. }), "{error:?}");
    assert!(!error.may_pass());
    assert_eq!(
        error.to_string(),
        "table `weighbridge-observations` has the key id (N): expected pk (S) sk (S)"
    );
}
