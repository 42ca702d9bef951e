"""The prototype that svevae's solver grew out of: slow and rough, kept to be measured against (solver.py); nothing else uses it.

One SVE: `tension(solid)`; a batch: `jax.vmap(tension)`.
"""
import numpy as np, jax, jax.numpy as jnp

S2 = 2**0.5
XI = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)  # two Gauss points on an axis


def strain(u):
    """B-bar strain of periodic nodal displacements u (3,n,n,n), unit cell edge 1 -> (6,2,2,2,n,n,n), Mandel."""
    n = u.shape[-1]
    at = lambda f, ax: [(1 - x) * f + x * jnp.roll(f, -1, ax) for x in XI]
    diff = lambda f, ax: n * (jnp.roll(f, -1, ax) - f)
    def grad(c):
        gx = jnp.stack([jnp.stack(at(a, -1)) for a in at(diff(c, -3), -2)])
        gy = jnp.stack([jnp.stack(at(a, -1)) for a in at(diff(c, -2), -3)])
        gz = jnp.stack([jnp.stack(at(a, -2)) for a in at(diff(c, -1), -3)])
        full = (2, 2, 2) + c.shape
        return jnp.broadcast_to(gx[None], full), jnp.broadcast_to(gy[:, None], full), jnp.broadcast_to(gz[:, :, None], full)
    a, b, c = (grad(u[i]) for i in range(3))
    e = jnp.stack([a[0], b[1], c[2], (b[2] + c[1]) / S2, (a[2] + c[0]) / S2, (a[1] + b[0]) / S2])
    trace = e[:3].sum(0)
    return e.at[:3].add((trace.mean((0, 1, 2), keepdims=True) - trace) / 3)


def stress(eps, ep, p, solid, mat):
    """Radial return; mat = (lambda, mu, s0, Q, b). -> stress, plastic strain, accumulated plastic strain."""
    lam, mu, s0, Q, b = mat
    I = jnp.array([1, 1, 1, 0, 0, 0.0], eps.dtype).reshape((6,) + (1,) * (eps.ndim - 1))
    tr = eps[:3].sum(0)
    s = 2 * mu * (eps - ep - I * (tr / 3))
    q = jnp.sqrt(1.5 * (s**2).sum(0) + 1e-12 * s0**2)
    fixed = jax.lax.stop_gradient(q)
    dp = jnp.zeros_like(fixed)
    for _ in range(4):
        ex = Q * jnp.exp(-b * (p + dp))
        dp = jnp.maximum(dp + (fixed - 3 * mu * dp - (s0 + Q - ex)) / (3 * mu + b * ex), 0.0)
    ex = Q * jnp.exp(-b * (p + dp))
    plastic = (fixed > s0 + Q * (1 - jnp.exp(-b * p))) & (solid > 0.5)
    dp = jnp.where(plastic, dp + (q - 3 * mu * dp - (s0 + Q - ex)) / (3 * mu + b * ex), 0.0)  # one step: exact tangent
    return solid * (I * ((lam + 2 * mu / 3) * tr) + (1 - 3 * mu * dp / q) * s), ep + dp * 1.5 * s / q, p + dp


def build(n, mat, free=(1, 2, 3, 4, 5), dtype=jnp.float32):
    """-> tension(solid (n,n,n) of 0/1, strains): mean stress, mean strain and residual of each increment; `free` components carry no mean stress."""
    lam, mu = mat[:2]
    C0 = np.zeros((6, 6)); C0[:3, :3] = lam; C0 += 2 * mu * np.eye(6)
    zero = jnp.zeros((3, n, n, n), dtype)
    strain_t = jax.linear_transpose(strain, zero)
    div = lambda s: strain_t(s)[0] / 8
    K0 = jax.jit(lambda u: div(jnp.einsum("ij,j...->i...", jnp.asarray(C0, dtype), strain(u))))
    K = np.moveaxis(np.fft.rfftn(np.stack([np.asarray(K0(zero.at[j, 0, 0, 0].set(1.0)), float) for j in range(3)], 1), axes=(2, 3, 4)), (0, 1), (-2, -1))
    w, V = np.linalg.eigh(0.5 * (K + np.conj(np.swapaxes(K, -1, -2))))
    w = np.where(w > 1e-6 * w.max(), 1 / np.where(w > 1e-6 * w.max(), w, 1), 0)
    G = jnp.asarray(np.moveaxis(np.einsum("...ia,...a,...ja->...ij", V, w, V.conj()), (-2, -1), (0, 1)), jnp.result_type(dtype, jnp.complex64))
    free = list(free)
    mask = jnp.zeros(6, dtype).at[jnp.array(free, int)].set(1)
    S0 = np.zeros((6, 6)); S0[np.ix_(free, free)] = np.linalg.inv(C0[np.ix_(free, free)]); S0 = jnp.asarray(S0 / n**3, dtype)
    wide = lambda e: e.reshape((6,) + (1,) * 6)

    def precondition(r):
        R = jnp.einsum("ij...,j...->i...", G, jnp.fft.rfftn(r[0], axes=(-3, -2, -1)))
        return jnp.fft.irfftn(R, s=(n, n, n), axes=(-3, -2, -1)).astype(dtype), S0 @ r[1]

    def residual(x, mean, state, solid):
        sig, *new = stress(strain(x[0]) + wide(mean + mask * x[1]), *state, solid, mat)
        return (div(sig), mask * sig.sum((1, 2, 3, 4, 5, 6)) / 8), sig, new

    dot = lambda a, b: (a[0] * b[0]).sum() + (a[1] * b[1]).sum()
    add = lambda a, c, b: (a[0] + c * b[0], a[1] + c * b[1])

    def cg(A, b, tol=1e-2, most=150):
        z = precondition(b); rz0 = dot(b, z)
        def body(c):
            x, r, p, rz, k = c
            Ap = A(p); a = rz / dot(p, Ap); x = add(x, a, p); r = add(r, -a, Ap); z = precondition(r); new = dot(r, z)
            return x, r, add(z, new / rz, p), new, k + 1
        return jax.lax.while_loop(lambda c: (c[3] > tol**2 * rz0) & (c[4] < most), body, (jax.tree.map(jnp.zeros_like, b), b, z, rz0, 0))[0]

    def increment(x, mean, state, solid, tol=1e-3, most=15):
        R = lambda x: residual(x, mean, state, solid)[0]
        norm = lambda r: dot(r, precondition(r))
        r0 = R(x); scale = norm(r0)
        def body(c):
            x, r, _, k = c
            _, A = jax.linearize(R, x)
            dx = cg(A, jax.tree.map(jnp.negative, r))
            tries = [add(x, a, dx) for a in (1.0, 0.5, 0.2)]
            rs = [R(t) for t in tries]; ns = jnp.stack([norm(r) for r in rs]); best = jnp.argmin(ns)
            pick = lambda *v: jnp.stack(v)[best]
            return jax.tree.map(pick, *tries), jax.tree.map(pick, *rs), ns[best], k + 1
        x, r, left, _ = jax.lax.while_loop(lambda c: (c[2] > tol**2 * scale) & (c[3] < most), body, (x, r0, scale, 0))
        _, sig, new = residual(x, mean, state, solid)
        return x, new, sig.mean((1, 2, 3, 4, 5, 6)), mean + mask * x[1], jnp.sqrt(left / scale)

    def tension(solid, strains):
        axis = next(i for i in range(6) if i not in free)
        x = (zero, jnp.zeros(6, dtype)); state = [jnp.zeros((6, 2, 2, 2, n, n, n), dtype), jnp.zeros((2, 2, 2, n, n, n), dtype)]
        def body(c, t):
            x, state = c
            x, state, sig, eps, res = increment(x, jnp.zeros(6, dtype).at[axis].set(t), state, solid)
            return (x, state), (sig, eps, res)
        return jax.lax.scan(body, (x, state), jnp.asarray(strains, dtype))[1]
    def prescribed(solid, path):  # added for the benchmark: all six mean strains given
        x = (zero, jnp.zeros(6, dtype)); state = [jnp.zeros((6, 2, 2, 2, n, n, n), dtype), jnp.zeros((2, 2, 2, n, n, n), dtype)]
        def body(c, e):
            x, state = c
            x, state, sig, eps, res = increment(x, e, state, solid)
            return (x, state), (sig, eps, res)
        return jax.lax.scan(body, (x, state), jnp.asarray(path, dtype))[1]
    tension.prescribed = prescribed
    return tension
