# What is mounted into every container, below $ROOT, before its program runs.
mount -o bind /volumes/db $ROOT/data
mount -o bind /host/conf $ROOT/conf
mount -o remount,bind,ro $ROOT/conf
