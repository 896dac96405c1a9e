@echo off
rem 5) data_dst faceset MANUAL RE-EXTRACT DELETED ALIGNED_DEBUG (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" extract --input-dir "%DFL_WORKSPACE%\data_dst" --output-dir "%DFL_WORKSPACE%\data_dst\aligned" --detector manual --max-faces-from-image 0 --output-debug --manual-output-debug-fix %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
