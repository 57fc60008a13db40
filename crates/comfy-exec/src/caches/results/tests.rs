use comfy_graph::{Socket, Value};

use super::*;

/// A value of so many bytes.
#[derive(Clone)]
struct Block(usize);

impl Socket for Block {
    const TYPE: &'static str = "BLOCK";

    fn size(&self) -> usize {
        self.0
    }
}

fn block(size: usize) -> Arc<NodeResult> {
    Arc::new(NodeResult {
        outputs: vec![vec![Ok(Value::new(Block(size)))]],
        shown: None,
    })
}

fn begin(cache: &mut ResultCache<u32>, signatures: &[u32]) {
    cache.begin(signatures.iter(), |_| false);
}

fn run(cache: &mut ResultCache<u32>, signatures: &[u32]) {
    begin(cache, signatures);
    for signature in signatures {
        if cache.get(signature).is_none() {
            cache.insert(*signature, Arc::default(), None);
        }
    }
    cache.end(true);
}

fn kept(cache: &ResultCache<u32>) -> Vec<u32> {
    (0..100)
        .filter(|signature| cache.get(signature).is_some())
        .collect()
}

#[test]
fn classic_keeps_what_the_present_prompt_uses() {
    let mut cache = ResultCache::new(CachePolicy::Classic);
    run(&mut cache, &[1, 2, 3]);
    run(&mut cache, &[2, 4]);
    assert_eq!(kept(&cache), [2, 4]);
}

#[test]
fn classic_keeps_what_added_nodes_computed_while_their_owner_is_there() {
    let owner = |id: &str| Owner {
        node_id: id.to_owned(),
        class: "A".to_owned(),
    };
    let mut cache = ResultCache::new(CachePolicy::Classic);
    begin(&mut cache, &[1]);
    for (signature, id) in [(10, "1"), (11, "1"), (12, "2")] {
        cache.insert(signature, Arc::default(), Some(owner(id)));
    }
    cache.end(true);
    // Node 1 is still there, node 2 is not.
    cache.begin([1].iter(), |owner| owner.node_id == "1");
    assert_eq!(kept(&cache), [10, 11]);
    // It is expanded again, and needs only one of the two.
    cache.expand(owner("1"));
    cache.touch([11].iter());
    cache.end(false);
    assert_eq!(kept(&cache), [10, 11]);
    cache.begin([1].iter(), |_| true);
    cache.expand(owner("1"));
    cache.touch([11].iter());
    cache.end(true);
    assert_eq!(kept(&cache), [11]);
}

#[test]
fn lru_keeps_older_results_up_to_its_limit() {
    let mut cache = ResultCache::new(CachePolicy::Lru(3));
    run(&mut cache, &[1, 2]);
    run(&mut cache, &[3]);
    assert_eq!(kept(&cache), [1, 2, 3]);
    run(&mut cache, &[1, 4]);
    // The fourth entry came after the room was made; the next prompt evicts the generation used longest ago.
    assert_eq!(kept(&cache), [1, 2, 3, 4]);
    run(&mut cache, &[5]);
    assert_eq!(kept(&cache), [1, 3, 4, 5]);
}

#[test]
fn lru_never_drops_what_the_present_prompt_uses() {
    let mut cache = ResultCache::new(CachePolicy::Lru(0));
    run(&mut cache, &[1, 2, 3]);
    begin(&mut cache, &[2, 3, 9]);
    assert_eq!(kept(&cache), [2, 3]);
}

#[test]
fn none_keeps_nothing() {
    let mut cache = ResultCache::new(CachePolicy::None);
    begin(&mut cache, &[1, 2]);
    for signature in [1, 1, 2] {
        cache.hold(&signature);
    }
    cache.insert(1, Arc::default(), None);
    cache.insert(2, Arc::default(), None);
    cache.release(&1);
    assert_eq!(kept(&cache), [1, 2]);
    cache.release(&1);
    assert_eq!(kept(&cache), [2]);
    cache.end(true);
    assert_eq!(kept(&cache), [0; 0]);
}

#[test]
fn ram_drops_what_was_used_longest_ago() {
    let mut cache = ResultCache::new(CachePolicy::Ram(100));
    for signature in [1, 2, 3] {
        begin(&mut cache, &[signature]);
        cache.insert(signature, block(40), None);
        cache.end(true);
    }
    assert_eq!(kept(&cache), [2, 3]);
    begin(&mut cache, &[2]);
    cache.end(true);
    begin(&mut cache, &[4]);
    cache.insert(4, block(60), None);
    cache.end(true);
    assert_eq!(kept(&cache), [2, 4]);
    // Something too big for the cache lives as long as it is held.
    begin(&mut cache, &[5]);
    cache.hold(&5);
    cache.insert(5, block(1000), None);
    assert_eq!(kept(&cache), [5]);
    cache.release(&5);
    assert_eq!(kept(&cache), [0; 0]);
    assert_eq!(cache.size, 0);
}

#[test]
fn ram_never_drops_what_is_held() {
    let mut cache = ResultCache::new(CachePolicy::Ram(100));
    begin(&mut cache, &[1, 2, 3]);
    for signature in [1, 2, 3] {
        cache.hold(&signature);
        cache.insert(signature, block(60), None);
    }
    assert_eq!(kept(&cache), [1, 2, 3]);
    cache.release(&2);
    assert_eq!(kept(&cache), [1, 3]);
    cache.end(false);
    assert_eq!(kept(&cache), [3]);
    // The same result again counts once.
    cache.insert(3, block(90), None);
    assert_eq!((kept(&cache), cache.size), (vec![3], 90));
    cache.clear();
    assert_eq!((kept(&cache), cache.size), (Vec::new(), 0));
}

#[test]
fn release_means_nothing_to_the_others() {
    for policy in [CachePolicy::Classic, CachePolicy::Lru(1)] {
        let mut cache = ResultCache::new(policy);
        run(&mut cache, &[1]);
        cache.hold(&1);
        cache.release(&1);
        assert_eq!(kept(&cache), [1]);
    }
}
