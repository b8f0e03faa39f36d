//! The model of each route. One that a later holder of the lease has kept is never overwritten.

use std::time::{Duration, UNIX_EPOCH};

use weighbridge_proxy::lease::Fence;
use weighbridge_proxy::store::{StoreError, StoredModel};

use super::item::{Item, get, get_text, number, text};
use super::keys::{PARTITION, micros};
use super::{Shared, errors};

/// Keeps `model`, unless one with a later fence is there.
pub(super) async fn save(
    shared: &Shared,
    route: &str,
    model: &StoredModel,
    Fence(fence): Fence,
) -> Result<(), StoreError> {
    let put = shared
        .client
        .put_item()
        .table_name(&shared.tables.state)
        .item(PARTITION, text(key(route)))
        .item("at_us", number(micros(model.at)))
        .item("names", text(serde_json::to_string(&model.feature_names)?))
        .item("model", text(&model.json))
        .item("fence", number(fence))
        .condition_expression("attribute_not_exists(pk) OR fence <= :fence")
        .expression_attribute_values(":fence", number(fence));
    match put.send().await {
        Ok(_) => {
            shared.models.insert(route.to_owned(), Some(model.clone())).await;
            Ok(())
        }
        Err(error) if errors::says(&error, "ConditionalCheckFailedException") => {
            shared.models.invalidate(route).await;
            Err(StoreError::Fenced)
        }
        Err(error) => Err(errors::told(error)),
    }
}

/// The model of `route`, as it was a moment ago.
pub(super) async fn cached(
    shared: &Shared,
    route: &str,
) -> Result<Option<StoredModel>, StoreError> {
    let load = load(shared, route);
    shared.models.try_get_with_by_ref(route, load).await.map_err(errors::shared)
}

async fn load(shared: &Shared, route: &str) -> Result<Option<StoredModel>, StoreError> {
    let get = shared.client.get_item().table_name(&shared.tables.state).consistent_read(true);
    let got = get.key(PARTITION, text(key(route))).send().await.map_err(errors::told)?;
    Ok(got.item.as_ref().and_then(read))
}

/// `None` where it is not one of ours.
fn read(item: &Item) -> Option<StoredModel> {
    let at = UNIX_EPOCH.checked_add(Duration::from_micros(get(item, "at_us")?))?;
    let feature_names = serde_json::from_str(get_text(item, "names")?).ok()?;
    Some(StoredModel { at, feature_names, json: get_text(item, "model")?.to_owned() })
}

fn key(route: &str) -> String {
    format!("model#{route}")
}
