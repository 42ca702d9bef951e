# Sourced by the entries of MLproject. `mlflow run` starts them under bash with the caller's PATH, so without an activated
# environment `dvc` and `svevae` would be missing or another's: put the folder of the interpreter that runs mlflow first.
python=$(tr '\0' '\n' 2>/dev/null <"/proc/$PPID/cmdline" | head -n 1)
case $python in
*/python*) ;;
*) if [ -n "$VIRTUAL_ENV" ]; then python=$VIRTUAL_ENV/bin/python; else python=$PWD/.venv/bin/python; fi ;;
esac
PATH=$(dirname "$python"):$PATH
export PATH

# stage NAME [section.key=value ...]: run the pipeline up to NAME; settings with a value make it an experiment of DVC's.
stage() {
    name=$1
    shift
    set_options=
    for setting in "$@"; do
        case $setting in *=) ;; *) set_options="$set_options -S $setting" ;; esac
    done
    if [ -n "$set_options" ]; then
        # An experiment wants its data present: unlike `dvc repro --pull`, `dvc exp run --pull` does not fetch what data.dvc names.
        # shellcheck disable=SC2086 # the options are words
        dvc pull --quiet data.dvc && dvc exp run --pull $set_options "$name"
    else
        dvc repro --pull "$name"
    fi && svevae record
}
