"""The variational autoencoder, its training, what is measured of it, and what it samples."""

import logging


def _is_no_retracing(record: logging.LogRecord) -> bool:
    """TensorFlow counts the first calls of all Keras models together: several models in one
    process, each traced once, are to it one function that is traced too often.
    """
    return "triggered tf.function retracing" not in record.getMessage()


logging.getLogger("tensorflow").addFilter(_is_no_retracing)
