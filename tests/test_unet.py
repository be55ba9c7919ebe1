"""The U-Net has its published count, no dead convolution, and learns."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from fetal_lib.models.unet import check_image_size, get_unet  # noqa: E402

PUBLISHED, TRAINABLE, MISWIRED = 2_164_305, 2_161_361, 1_179_121


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(0)
    return get_unet(32, 48, n_filters=2, dropout=0.0)


def miswired_unet():
    """Build the variant in circulation: each second convolution takes the block's input."""
    layers = keras.layers

    def block(x, n):
        dead = layers.Conv2D(n, 3, padding="same")(x)
        layers.ReLU()(layers.BatchNormalization()(dead))
        x = layers.Conv2D(n, 3, padding="same")(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    image = x = keras.Input((256, 256, 1))
    skips = []
    for level in range(4):
        x = block(x, 16 * 2**level)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = block(x, 256)
    for level in reversed(range(4)):
        x = layers.Conv2DTranspose(16 * 2**level, 3, strides=2, padding="same")(x)
        x = block(layers.Concatenate()([x, skips[level]]), 16 * 2**level)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))


def test_the_published_setting_has_the_published_count():
    model = get_unet(256, 256, 16)
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert (model.count_params(), trainable) == (PUBLISHED, TRAINABLE)


def test_the_miswired_variant_would_be_caught_by_the_count():
    assert miswired_unet().count_params() == MISWIRED


def test_probabilities_have_the_image_size(small):
    probs = small.predict(np.zeros((3, 32, 48, 1), "float32"), verbose=0)
    assert probs.shape == (3, 32, 48, 1)
    assert ((probs >= 0) & (probs <= 1)).all()


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_a_step_moves_every_kernel():
    """A dead convolution would keep its kernel."""
    keras.utils.set_random_seed(1)
    model = get_unet(32, 32, n_filters=2, dropout=0.0)
    rng = np.random.default_rng(0)
    x = rng.random((4, 32, 32, 1), dtype="float32")
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    model.train_on_batch(x, (x > 0.5).astype("float32"))
    for weight, old in zip(model.trainable_weights, before, strict=True):
        if len(weight.shape) == 4:
            assert np.abs(keras.ops.convert_to_numpy(weight) - old).max() > 1e-3, weight.path


@pytest.mark.slow
def test_it_overfits_one_batch():
    keras.utils.set_random_seed(2)
    model = get_unet(32, 32, n_filters=4, dropout=0.0)
    y, x = np.mgrid[:32, :32]
    radii = np.array([6, 8, 10, 12])
    mask = ((x - 15) ** 2 + (y - 15) ** 2 < radii[:, None, None] ** 2).astype("float32")
    noise = np.random.default_rng(0).normal(0, 0.1, mask.shape)
    image = (0.5 * mask + noise).astype("float32")[..., None]
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    losses = [float(model.train_on_batch(image, mask[..., None])) for _ in range(60)]
    assert losses[-1] < 0.1 < losses[0]


def test_mixed_precision_keeps_weights_and_output_in_32_bits():
    keras.utils.set_random_seed(3)
    mixed = get_unet(32, 32, 2, 0.0, "mixed_bfloat16")
    plain = get_unet(32, 32, 2, 0.0)
    plain.set_weights(mixed.get_weights())
    x = np.random.default_rng(0).random((2, 32, 32, 1), dtype="float32")
    a, b = (keras.ops.convert_to_numpy(m(x, training=False)) for m in (mixed, plain))
    assert a.dtype == np.float32 and {w.dtype for w in mixed.trainable_weights} == {"float32"}
    assert 0 < np.abs(a - b).max() < 0.03


def test_precision_follows_the_processor(tmp_path):
    from fetal_lib.training.precision import (
        lightning_precision,
        precision_policy,
        processor_has_bfloat16,
    )

    (tmp_path / "new").write_text("flags : fpu avx512_bf16 sse\n")
    (tmp_path / "old").write_text("flags : fpu sse\n")
    found = [processor_has_bfloat16(tmp_path / name) for name in ("new", "old", "none")]
    assert found == [True, False, False]
    with pytest.raises(ValueError, match="precision='half'"):
        precision_policy("half")
    names = [lightning_precision(word) for word in ("float32", "bfloat16", "float16")]
    assert names == ["32-true", "bf16-mixed", "16-mixed"]
    with pytest.raises(ValueError, match="precision='16-mixed'"):
        lightning_precision("16-mixed")


def test_dropout_is_off_when_predicting():
    keras.utils.set_random_seed(3)
    model = get_unet(32, 32, n_filters=2, dropout=0.9)
    x = np.random.default_rng(0).random((1, 32, 32, 1), dtype="float32")
    np.testing.assert_array_equal(model(x, training=False), model(x, training=False))


@pytest.mark.parametrize(("side", "nearest"), [(100, 96), (0, 16), (250, 256)])
def test_an_illegal_side_is_refused_with_the_nearest_legal_one(side, nearest):
    with pytest.raises(ValueError, match=rf"width={side}: .* the nearest is {nearest}"):
        check_image_size(64, side)
