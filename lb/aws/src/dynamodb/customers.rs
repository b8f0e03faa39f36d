//! How the jobs of customers are, in a table of DynamoDB that others know, too: `CustomerId` (its
//! key, a text), `job_stats` (C, P, F, E), `try_count` (a number). Ours has `weighbridge_at`
//! beside them: when a row was written, in seconds since 1970. The table has to be there.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use weighbridge_proxy::jobs::films::customers::{Customers, CustomersError, Row, State};

use super::errors;
use super::item::{Item, number, text};
use crate::Aws;

const CUSTOMER: &str = "CustomerId";
const STATE: &str = "job_stats";
const TRIES: &str = "try_count";
const AT: &str = "weighbridge_at";

/// See the module.
#[derive(Debug, Clone)]
pub struct DynamoCustomers {
    client: Client,
}

// === impl DynamoCustomers ===

impl DynamoCustomers {
    /// Any tables; one try of a request takes at most `timeout`. Connects to nothing yet.
    pub fn new(aws: &Aws, timeout: Duration) -> DynamoCustomers {
        DynamoCustomers { client: super::client(aws, timeout) }
    }
}

#[async_trait]
impl Customers for DynamoCustomers {
    async fn get(&self, table: &str, customer: &str) -> Result<Option<Row>, CustomersError> {
        let get = self.client.get_item().table_name(table).consistent_read(true);
        let got = get.key(CUSTOMER, text(customer)).send().await;
        let Some(item) = got.map_err(|error| told(table, &error))?.item else { return Ok(None) };
        let damaged = || CustomersError {
            table: table.to_owned(),
            why: format!("the row of `{customer}` has no `{STATE}` that is known"),
        };
        row(&item).ok_or_else(damaged).map(Some)
    }

    async fn put(
        &self,
        table: &str,
        customer: &str,
        (row, before): (&Row, Option<&Row>),
    ) -> Result<bool, CustomersError> {
        let put = self.client.put_item().table_name(table).item(CUSTOMER, text(customer));
        let put = put
            .item(STATE, text(row.state.letter()))
            .item(TRIES, number(row.tries))
            .set_item_at(row.at);
        match put.where_it_is(before).send().await {
            Ok(_) => Ok(true),
            Err(error) if errors::says(&error, "ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(told(table, &error)),
        }
    }
}

/// What a writing of a row has beside its item.
trait Conditional {
    fn set_item_at(self, at: Option<u64>) -> Self;
    fn where_it_is(self, before: Option<&Row>) -> Self;
}

impl Conditional for PutItemFluentBuilder {
    fn set_item_at(self, at: Option<u64>) -> Self {
        match at {
            Some(at) => self.item(AT, number(at)),
            None => self,
        }
    }

    /// Writes only where what is there is `before`.
    fn where_it_is(self, before: Option<&Row>) -> Self {
        let Some(before) = before else {
            return self.condition_expression(format!("attribute_not_exists({CUSTOMER})"));
        };
        let put = self
            .expression_attribute_values(":state", text(before.state.letter()))
            .expression_attribute_values(":tries", number(before.tries));
        // Others may leave it out.
        let tries = match before.tries {
            0 => format!("({TRIES} = :tries OR attribute_not_exists({TRIES}))"),
            _ => format!("{TRIES} = :tries"),
        };
        match before.at {
            Some(at) => put
                .condition_expression(format!("{STATE} = :state AND {tries} AND {AT} = :at"))
                .expression_attribute_values(":at", number(at)),
            None => put.condition_expression(format!(
                "{STATE} = :state AND {tries} AND attribute_not_exists({AT})"
            )),
        }
    }
}

/// `None` where it says nothing that is known.
fn row(item: &Item) -> Option<Row> {
    let state = State::of_letter(item.get(STATE)?.as_s().ok()?)?;
    let count = |name| item.get(name).map(AttributeValue::as_n).and_then(Result::ok);
    let tries = count(TRIES).and_then(|tries| tries.parse().ok()).unwrap_or(0);
    Some(Row { state, tries, at: count(AT).and_then(|at| at.parse().ok()) })
}

fn told<E, R>(table: &str, error: &SdkError<E, R>) -> CustomersError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    let why = format!("DynamoDB: {}", crate::errors::chain(error));
    CustomersError { table: table.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_others_is_read() {
        let item = |letter: &str| {
            Item::from([
                (CUSTOMER.to_owned(), text("a")),
                (STATE.to_owned(), text(letter)),
                (TRIES.to_owned(), number(2_u32)),
            ])
        };
        let expected = Row { state: State::InProgress, tries: 2, at: None };
        assert_eq!(row(&item("P")), Some(expected));
        assert_eq!(row(&item("X")), None);
    }
}
