//! The stores of jobs against what every such store does (`tests/shared`), and what is particular
//! to the embedded ones.

#[cfg(test)]
#[path = "../shared/job_ledger.rs"]
mod job_ledger;
#[cfg(test)]
#[path = "../shared/job_objects.rs"]
mod job_objects;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod sqlite;
