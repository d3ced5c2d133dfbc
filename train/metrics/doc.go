// Package metrics measures how good the outputs of a model are: accuracy, F1, ROC AUC, R2 and
// others, by name or by type, and a user's own.
//
// A [Metric] is a function of a [State]: of counts, of sums, or of kept scores, that are added up
// batch by batch. The value over batches of any sizes is therefore that over all their examples at
// once, not a mean of means. States can be merged and encoded, so that a run which is cut into parts
// that are merged in one order has the same bits however many processes compute the parts.
//
// Definitions, names, and what 0/0 is are those of scikit-learn, with whose results the tests
// compare. Where targets are class numbers (N,...), outputs are logits (N,C,...), and the prediction
// is the largest, the first one of equals; a target that is not a class, such as -1, is ignored.
// Where targets are floating point and the metric is one of classes, each output is the logit of a
// yes or no, the target is 1 or 0, and the prediction is yes above 0.
//
// Knows shape and tensor. Never imports train, graph, vm, nor an implementation of engine.
package metrics
