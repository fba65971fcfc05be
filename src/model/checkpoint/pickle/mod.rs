//! Just enough of Python's pickle to find the tensors of a PyTorch checkpoint. Nothing is executed.
//!
//! Every value is a number, a piece of the input or an index into a list of containers: what an input
//! makes takes memory in proportion to its length, however it repeats and nests what it has made.

mod machine;

use machine::Machine;

/// Where a tensor's numbers are, as the pickle says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PickledTensor<'a> {
    pub(super) storage: Storage<'a>,
    /// Numbers of the storage before the tensor's first.
    pub(super) offset: u64,
    shape: usize,
    stride: usize,
}

/// A run of numbers that tensors are views of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Storage<'a> {
    /// The class that says what the numbers are: `FloatStorage`.
    pub(super) class: &'a str,
    pub(super) key: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'a> {
    /// What no tensor needs.
    Other,
    Mark,
    Int(i64),
    Text(&'a str),
    /// Index into the classes.
    Class(usize),
    /// Index into the containers, as are the next two.
    Tuple(usize),
    List(usize),
    /// Its keys and values alternate.
    Dict(usize),
    /// Index into the storages.
    Storage(usize),
    /// Index into the tensors.
    Tensor(usize),
}

/// What values are indices into.
#[derive(Default)]
struct Heap<'a> {
    containers: Vec<Vec<Value<'a>>>,
    /// Module and name.
    classes: Vec<(&'a str, &'a str)>,
    storages: Vec<Storage<'a>>,
    tensors: Vec<PickledTensor<'a>>,
}

/// A pickle, read to its end.
pub(super) struct Pickle<'a> {
    /// The value it makes.
    top: Value<'a>,
    heap: Heap<'a>,
    /// What follows it.
    pub(super) rest: &'a [u8],
}

/// Reads the pickle that `bytes` begins with.
///
/// # Errors
///
/// Says at which byte it can't be understood.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle<'_>, String> {
    let mut machine = Machine::new(bytes);
    loop {
        match machine.step() {
            Some(true) => {}
            Some(false) => break,
            None => {
                let at = bytes.len() - machine.rest.len();
                return Err(format!("its pickle cannot be understood at byte {at}"));
            }
        }
    }
    let top = machine.stack.pop();
    Ok(Pickle {
        top: top.ok_or("its pickle makes nothing")?,
        heap: machine.heap,
        rest: machine.rest,
    })
}

impl<'a> Pickle<'a> {
    /// The named tensors: of the value itself, or of the `state_dict` or `model` in it.
    pub(super) fn tensors(&self) -> Vec<(&'a str, PickledTensor<'a>)> {
        let pairs = self.pairs(self.top);
        let inner = pairs.iter().find_map(|(key, value)| match (key, value) {
            (Value::Text("state_dict" | "model"), Value::Dict(_)) => Some(*value),
            _ => None,
        });
        let pairs = inner.map_or(pairs, |dict| self.pairs(dict));
        let named = |(key, value)| match (key, value) {
            (Value::Text(name), Value::Tensor(index)) => Some((name, self.heap.tensors[index])),
            _ => None,
        };
        pairs.into_iter().filter_map(named).collect()
    }

    /// The texts of a list, such as the names of storages.
    pub(super) fn texts(&self) -> Option<Vec<&'a str>> {
        let Value::List(list) = self.top else {
            return None;
        };
        let text = |value: &Value<'a>| match value {
            Value::Text(text) => Some(*text),
            _ => None,
        };
        self.heap.containers[list].iter().map(text).collect()
    }

    /// A tensor's dimensions and strides, in numbers.
    pub(super) fn layout(&self, tensor: &PickledTensor<'_>) -> Option<(Vec<usize>, Vec<usize>)> {
        Some((self.sizes(tensor.shape)?, self.sizes(tensor.stride)?))
    }

    fn sizes(&self, tuple: usize) -> Option<Vec<usize>> {
        let size = |value: &Value<'_>| match value {
            Value::Int(size) => usize::try_from(*size).ok(),
            _ => None,
        };
        self.heap.containers[tuple].iter().map(size).collect()
    }

    fn pairs(&self, dict: Value<'a>) -> Vec<(Value<'a>, Value<'a>)> {
        let Value::Dict(dict) = dict else {
            return Vec::new();
        };
        let pairs = self.heap.containers[dict].as_chunks::<2>().0;
        pairs.iter().map(|[key, value]| (*key, *value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_within_itself_many_times_takes_no_more_than_its_bytes() {
        // A tuple of the tuple before, twice, forty times over: 2^40 objects if they were copied.
        let mut bytes = vec![0x80, 2, b')'];
        for _ in 0..40 {
            bytes.extend([b'q', 0, b'h', 0, 0x86]);
        }
        bytes.push(b'.');

        let pickle = read(&bytes).unwrap();

        assert_eq!(pickle.heap.containers.len(), 41);
        assert!(pickle.tensors().is_empty());
    }

    #[test]
    fn a_million_objects_within_one_another_are_no_deep_recursion() {
        let mut bytes = vec![b')'];
        bytes.extend([0x85].repeat(1_000_000));
        bytes.push(b'.');

        assert!(read(&bytes).is_ok());
    }

    #[test]
    fn a_text_longer_than_the_file_is_refused() {
        let error = read(&[0x80, 2, b'X', 0xff, 0xff, 0xff, 0xff, b'a', b'.']).err();

        assert_eq!(error.unwrap(), "its pickle cannot be understood at byte 7");
    }

    #[test]
    fn a_call_of_anything_else_makes_nothing() {
        let bytes = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.";

        assert_eq!(read(bytes).unwrap().top, Value::Other);
    }
}
