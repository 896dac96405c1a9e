@echo off
rem 5.1) data_dst view aligned_debug results (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" view --input-dir "%DFL_WORKSPACE%\data_dst\aligned_debug" %*
set DFL_EXIT=%errorlevel%
:end
exit /b %DFL_EXIT%
