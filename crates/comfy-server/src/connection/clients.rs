//! How many connections each client has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// Counts connections by the address they come from.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    limit: usize,
}

/// A connection that is counted for as long as this lives.
#[derive(Debug)]
pub(super) struct Admission {
    clients: Clients,
    address: IpAddr,
}

impl Clients {
    /// Each client may have this many connections.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            open: Arc::default(),
            limit,
        }
    }

    /// Counts one more connection from this address; none if it has as many as it may.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Admission> {
        let address = household(address);
        let mut open = self.open.lock();
        let count = open.entry(address).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Admission {
            clients: self.clone(),
            address,
        })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.clients.open.lock();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// What one client can choose its address from: of IPv6 it has at least the last 64 bits to itself.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_client_has_its_own_limit() {
        let clients = Clients::new(2);
        let first = clients.admit(ip("10.0.0.1")).expect("the first");
        let _second = clients.admit(ip("::ffff:10.0.0.1")).expect("the second");
        assert!(clients.admit(ip("10.0.0.1")).is_none());
        let _other = clients.admit(ip("10.0.0.2")).expect("another client");
        drop(first);
        assert!(clients.admit(ip("10.0.0.1")).is_some());
        let _neighbours = [
            clients.admit(ip("2001:db8::1")),
            clients.admit(ip("2001:db8::2")),
        ];
        assert!(clients.admit(ip("2001:db8::3")).is_none());
        assert!(clients.admit(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn clients_that_left_are_forgotten() {
        let clients = Clients::new(1);
        drop(clients.admit(ip("10.0.0.1")));
        assert!(clients.open.lock().is_empty());
    }
}
