#!/bin/sh
# TensorFlow 2.21.0 imports JAX where it is installed, whatever it is used for.
#
# tf.lite looks for jax.jit when TensorFlow is imported. A program that has both for different ends
# pays 0.1 GiB and a second for the one that it does not use. None in sys.modules while TensorFlow
# is imported keeps it out; JAX can be imported afterwards.
#
# Seen (JAX 0.10.2): after `import tensorflow` "jax" is in sys.modules, and the largest resident memory
# is 655 MiB; 533 MiB where JAX is hidden.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow-cpu==2.21.0 jax==0.10.2 numpy==2.4.6
cat > "$folder/imported.py" <<'EOF'
import resource
import sys

if sys.argv[1] == "hidden":
    sys.modules["jax"] = None
import tensorflow

found = sys.modules.get("jax") is not None
print(int(found), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
EOF
export TF_CPP_MIN_LOG_LEVEL=3
read -r left seen <<EOF
$("$folder/venv/bin/python" "$folder/imported.py" left 2> "$folder/chatter")
EOF
read -r hidden less <<EOF
$("$folder/venv/bin/python" "$folder/imported.py" hidden 2> "$folder/chatter")
EOF
echo "jax imported: $left, hidden: $hidden; $seen MiB, hidden: $less MiB"
[ "$left" = 1 ] && [ "$hidden" = 0 ] && [ "$seen" -gt "$((less + 30))" ]
