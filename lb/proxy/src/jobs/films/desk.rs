//! What customers ask and are told: `/makevideo` and `/checkstatus`.
//!
//! The row is written before the message is sent, and only where no other job of the customer is
//! under way. Where the message cannot be sent, the row says that the job has failed.

use form_urlencoded::parse;

use super::customers::{CustomersError, Row, asked, ended};
use super::pages;
use crate::config::Films;
use crate::config::films::Desk;
use crate::jobs::JobRoom;

/// The longest name of a customer, in bytes.
const CUSTOMER_MAX: usize = 255;

/// The longest text of what is to be done, in bytes.
const JOBS_MAX: usize = 4096;

/// A row that somebody else was first to write is read again so often.
const RACES_MAX: usize = 8;

/// Why nothing is done for a customer.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("a customer's name has 1 to {CUSTOMER_MAX} bytes, and no `|`")]
    Customer,
    #[error("a job is described by 1 to {JOBS_MAX} bytes")]
    Jobs,
    #[error("a job of this customer is under way")]
    UnderWay,
    #[error("jobs cannot be kept now")]
    Away,
}

/// Asks for a job, where `query` says which; the page that tells of it.
pub(super) async fn make_video(room: &JobRoom, films: &Films, query: &str) -> String {
    let (customer, jobs) = (value(query, "customerId"), value(query, "jobDesc"));
    let (Some(desk), Some(customer), Some(jobs)) = (&films.desk, customer, jobs) else {
        return pages::make_video(None);
    };
    let told = match submit(room, desk, (&customer, &jobs)).await {
        Ok(()) => ("Job submitted successfully", None),
        Err(refused) => ("Job submission failed", Some(refused.to_string())),
    };
    pages::make_video(Some((told.0, told.1.as_deref(), &customer)))
}

/// How the job is whose customer `query` names.
pub(super) async fn check_status(room: &JobRoom, films: &Films, query: &str) -> String {
    let (Some(desk), Some(customer)) = (&films.desk, value(query, "customerId")) else {
        return pages::check_status(None);
    };
    let row = if is_customer(&customer) {
        room.contracts.outside.customers.get(&desk.table, &customer).await
    } else {
        Ok(None)
    };
    let words = match row {
        Ok(Some(Row { state, .. })) => state.words(),
        Ok(None) => "Job does not exists",
        Err(error) => {
            tracing::warn!(%error, "a customer is not told of its job");
            "This cannot be told now"
        }
    };
    pages::check_status(Some((words, &customer)))
}

async fn submit(
    room: &JobRoom,
    desk: &Desk,
    (customer, jobs): (&str, &str),
) -> Result<(), Refused> {
    if !is_customer(customer) {
        return Err(Refused::Customer);
    }
    let is_text = jobs.chars().all(|c| !c.is_control());
    if jobs.trim().is_empty() || JOBS_MAX < jobs.len() || !is_text {
        return Err(Refused::Jobs);
    }
    let away = |error: CustomersError| {
        tracing::warn!(%error, "a job cannot be kept");
        Refused::Away
    };
    let row = create(room, desk, customer).await.map_err(away)?.ok_or(Refused::UnderWay)?;
    let outside = &room.contracts.outside;
    let sent = match &outside.messages {
        Some(messages) => messages.send(&desk.queue, &format!("{customer}|{jobs}"), None).await,
        None => return Err(Refused::Away),
    };
    let Err(error) = sent else { return Ok(()) };
    tracing::warn!(%error, "a job cannot be sent");
    // It may have been sent nevertheless: then its message is an old one.
    let failed = ended(row, false, super::worker::now());
    outside.customers.put(&desk.table, customer, (&failed, Some(&row))).await.map_err(away)?;
    Err(Refused::Away)
}

/// Writes that a customer has a job; `None` where one is under way.
async fn create(
    room: &JobRoom,
    desk: &Desk,
    customer: &str,
) -> Result<Option<Row>, CustomersError> {
    let customers = &room.contracts.outside.customers;
    for _ in 0..RACES_MAX {
        let before = customers.get(&desk.table, customer).await?;
        let row = asked(before, super::worker::now(), desk.silence_max);
        let Some(row) = row else { return Ok(None) };
        if customers.put(&desk.table, customer, (&row, before.as_ref())).await? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Whether a customer can be called so: the name ends at the first `|` of a message.
pub(super) fn is_customer(name: &str) -> bool {
    let plain = |c: char| c != '|' && !c.is_control();
    (1..=CUSTOMER_MAX).contains(&name.len()) && name.chars().all(plain)
}

/// The parameter `name` of `query`, without the blanks around it.
fn value(query: &str, name: &str) -> Option<String> {
    let (_, value) = parse(query.as_bytes()).find(|(one, _)| one == name)?;
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::films::customers::State;

    #[test]
    fn a_customer_can_be_told_from_its_jobs() {
        assert!(is_customer("a b") && is_customer("ünïcödé 猫") && is_customer("<b>"));
        assert!(!is_customer("") && !is_customer("a|b") && !is_customer("a\nb"));
        assert!(!is_customer(&"x".repeat(256)));
        assert_eq!(value("a=1&customerId=+a%7Cb+", "customerId").as_deref(), Some("a|b"));
        assert_eq!(value("a=1", "customerId"), None);
    }

    #[test]
    fn each_state_has_its_words() {
        for (letter, words) in
            [("C", "Created"), ("P", "in progress"), ("F", "completed"), ("E", "Error occured")]
        {
            assert!(State::of_letter(letter).expect("a state").words().contains(words));
        }
    }
}
